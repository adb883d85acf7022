import pytest

from services.stt.word_errors import normalized, word_errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" What's that?", ["what's", "that"]),
        ("OK, at 7, 12 or 45.", ["okay", "at", "seven", "twelve", "or", "forty", "five"]),
        ("In 1969: 20 men", ["in", "1969", "twenty", "men"]),
        ("", []),
    ],
)
def test_text_is_written_one_way(text: str, words: list[str]) -> None:
    assert normalized(text) == words


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors"),
    [("a b c", "a b c", 0), ("a b c", "a x c", 1), ("a b c", "a c", 1), ("a b", "a b b", 1), ("", "a b", 2)],
)
def test_errors_are_substitutions_insertions_and_deletions(reference: str, hypothesis: str, errors: int) -> None:
    assert word_errors(reference.split(), hypothesis.split()) == errors
