"""Which voice speaks which language: one namespace for the voices of all engines. Pure.

Voice and language are independent: the voice says who speaks, the language says what is spoken. A voice that is asked
for a language other than its own speaks it with its own timbre, where the engine can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import StageError


@dataclass(frozen=True, slots=True)
class Voice:
    """`name` is unique, `language` the voice's own (ISO 639-1), `sample_rate_hz` the rate of its audio."""

    name: str
    language: str
    sample_rate_hz: int


class VoiceBook:
    """The voices of an engine in order of preference, and the languages it can speak."""

    def __init__(self, voices: Sequence[Voice], languages: Sequence[str]) -> None:
        self.voices = tuple(voices)
        self.languages = tuple(languages)
        self._by_name = {voice.name: voice for voice in voices}

    def of(self, language: str = "") -> tuple[Voice, ...]:
        """The voices whose own language that is; all where it is empty. StageError on an unknown language."""
        if not language:
            return self.voices
        self._require_language(language)
        return tuple(voice for voice in self.voices if voice.language == language)

    def choose(self, name: str, language: str, default_language: str, defaults: Mapping[str, str]) -> tuple[Voice, str]:
        """The voice and the language to speak for a stream's `name` and `language`, each empty where unset.

        No name: the default voice of the language, as `defaults` says or else the first of that language. No language:
        the voice's own. Neither: `default_language`. Raises StageError, which lists what there is.
        """
        if language:
            self._require_language(language)
        if name:
            if name not in self._by_name:
                names = ", ".join(voice.name for voice in self.of(language) or self.voices)
                raise StageError.invalid("voice", f"one of {names}; got {name!r}", reason="UNKNOWN_VOICE")
            voice = self._by_name[name]
            return voice, language or voice.language
        language = language or default_language
        self._require_language(language)
        named = self._by_name.get(defaults.get(language, ""))
        return named or self.of(language)[0], language

    def _require_language(self, language: str) -> None:
        if language not in self.languages:
            languages = ", ".join(self.languages)
            raise StageError.invalid("language", f"one of {languages}; got {language!r}", reason="UNKNOWN_LANGUAGE")
