"""One list of voices; the voice says who speaks, the language what is spoken."""

import pytest

from chassis.errors import StageError
from services.tts.voices import Voice, VoiceBook

ANN, BO, LI = Voice("ann", "en", 24_000), Voice("bo", "en", 24_000), Voice("li", "zh", 24_000)
BOOK = VoiceBook([ANN, BO, LI], ["en", "zh"])


@pytest.mark.parametrize(
    ("name", "language", "voice", "spoken"),
    [
        ("", "", ANN, "en"),
        ("", "zh", LI, "zh"),
        ("bo", "", BO, "en"),
        ("li", "", LI, "zh"),
        ("bo", "zh", BO, "zh"),
    ],
)
def test_what_is_not_said_is_chosen(name: str, language: str, voice: Voice, spoken: str) -> None:
    assert BOOK.choose(name, language, "en", {}) == (voice, spoken)


def test_a_setting_names_the_default_voice_of_a_language() -> None:
    assert BOOK.choose("", "en", "en", {"en": "bo"}) == (BO, "en")


@pytest.mark.parametrize(("language", "listed"), [("", "ann, bo, li"), ("zh", "li")])
def test_an_unknown_voice_is_answered_with_the_voices(language: str, listed: str) -> None:
    with pytest.raises(StageError, match=f"voice: expected one of {listed}; got 'cy'") as raised:
        BOOK.choose("cy", language, "en", {})
    assert (raised.value.reason, raised.value.field) == ("UNKNOWN_VOICE", "voice")


def test_an_unknown_language_is_answered_with_the_languages() -> None:
    with pytest.raises(StageError, match="language: expected one of en, zh; got 'xx'") as raised:
        BOOK.choose("ann", "xx", "en", {})
    assert (raised.value.reason, raised.value.field) == ("UNKNOWN_LANGUAGE", "language")


def test_voices_of_a_language_are_its_own() -> None:
    assert BOOK.of("en") == (ANN, BO)
    assert BOOK.of() == (ANN, BO, LI)
