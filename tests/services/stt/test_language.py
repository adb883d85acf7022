import pytest

from services.stt.language import Belief, Language, is_settled


def test_the_likeliest_language_is_taken_with_its_probability() -> None:
    language = Belief().after({"en": 0.25, "zh": 0.75}, 1.0).likeliest
    assert language == Language("zh", 0.75)


def test_a_foreign_name_at_the_end_does_not_change_the_language() -> None:
    # "What is the capital of" is English beyond doubt; with "France" it sounds half French.
    belief = Belief().after({"en": 0.99, "fr": 0.01}, 0.8).after({"en": 0.4, "fr": 0.6}, 1.3)
    assert belief.likeliest.code == "en"


def test_a_look_at_little_speech_counts_little() -> None:
    belief = Belief().after({"en": 0.1, "ko": 0.9}, 0.2).after({"en": 0.9, "ko": 0.1}, 1.5)
    assert belief.likeliest.code == "en"


def test_the_language_that_was_spoken_last_is_preferred_in_doubt_only() -> None:
    assert Belief.expecting("en").after({"en": 0.4, "fr": 0.6}, 1.0).likeliest.code == "en"
    assert Belief.expecting("en").after({"en": 0.05, "fr": 0.95}, 1.0).likeliest.code == "fr"


@pytest.mark.parametrize(
    ("probability", "speech_s", "settled"),
    [(0.99, 0.4, False), (0.99, 1.0, True), (0.5, 1.5, False), (0.5, 3.0, True)],
)
def test_a_language_is_kept_once_enough_speech_was_heard(probability: float, speech_s: float, settled: bool) -> None:
    assert is_settled(Language("en", probability), speech_s) is settled
