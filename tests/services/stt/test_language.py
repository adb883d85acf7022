import pytest

from services.stt.language import Language, is_settled, likeliest


def test_the_likeliest_language_is_taken_with_its_probability() -> None:
    assert likeliest({"en": 0.2, "zh": 0.7, "ja": 0.1}) == Language("zh", 0.7)


@pytest.mark.parametrize(
    ("probability", "speech_s", "settled"),
    [(0.99, 0.4, False), (0.99, 1.0, True), (0.5, 1.5, False), (0.5, 3.0, True)],
)
def test_a_language_is_kept_once_enough_speech_was_heard(probability: float, speech_s: float, settled: bool) -> None:
    assert is_settled(Language("en", probability), speech_s) is settled
