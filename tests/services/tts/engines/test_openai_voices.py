"""The voices of a server."""

import pytest

from chassis.errors import StageError
from services.tts.engines.openai_voices import ServerVoices, listed_voices, parse_languages, parse_voices


def book(text: str) -> ServerVoices:
    return ServerVoices(parse_voices(text), ("en", "zh"), "en", 24_000)


def names(voices: ServerVoices, language: str) -> list[str]:
    return [voice.name for voice in voices.of(language)]


def test_a_voice_without_a_language_is_at_home_in_every_one() -> None:
    voices = book(" alloy, xiao=zh ,nova")
    assert names(voices, "") == ["alloy", "xiao", "nova"]
    assert names(voices, "zh") == ["alloy", "xiao", "nova"]
    assert names(voices, "en") == ["alloy", "nova"]
    voice, language = voices.choose("", "zh", "en", {"zh": "xiao"})
    assert (voice.name, language) == ("xiao", "zh")


def test_where_no_voice_is_of_a_language_all_speak_it() -> None:
    voices = book("anna=en")
    assert names(voices, "zh") == ["anna"]
    assert voices.choose("", "zh", "en", {})[0].name == "anna"


def test_other_languages_are_refused() -> None:
    with pytest.raises(StageError, match="expected one of en, zh; got 'fr'"):
        book("anna").of("fr")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"voices": ["a", "b"]}, (("a", ""), ("b", ""))),
        ({"data": [{"id": "a", "name": "Anna", "language": "en-US"}]}, (("a", "en"),)),
        ([{"name": "a"}, {"other": 1}, 5, ""], (("a", ""),)),
        ({"voices": {"a": 1}}, ()),
        ("a", ()),
    ],
)
def test_lists_of_voices_are_read_in_every_form(answer: object, expected: object) -> None:
    assert listed_voices(answer) == expected


def test_languages_are_comma_separated() -> None:
    assert parse_languages("en, zh,") == ("en", "zh")
