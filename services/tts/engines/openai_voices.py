"""The voices of a speech server: from the settings, or as the server lists them. Pure."""

from collections.abc import Mapping, Sequence

from services.tts.voices import Voice, VoiceBook


class ServerVoices(VoiceBook):
    """Voices by name, each with its own language or with none: one with none is at home in every language.

    `default_language` is told for those.
    """

    def __init__(
        self, names: Sequence[tuple[str, str]], languages: Sequence[str], default_language: str, sample_rate_hz: int
    ) -> None:
        super().__init__(
            [Voice(name, language or default_language, sample_rate_hz) for name, language in names], languages
        )
        self._own = dict(names)

    def of(self, language: str = "") -> tuple[Voice, ...]:
        """The voices of that language, all where none is: servers rarely know more of a voice than its name."""
        named = super().of(language)
        if not language:
            return named
        found = tuple(voice for voice in self.voices if self._own[voice.name] in ("", language))
        return found or self.voices


def parse_voices(text: str) -> tuple[tuple[str, str], ...]:
    """Names and languages of `name, name=language, …`; the language is empty where none is named."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return tuple((name.strip(), language.strip()) for name, _, language in pairs)


def parse_languages(text: str) -> tuple[str, ...]:
    """The languages of a comma-separated text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def listed_voices(answer: object) -> tuple[tuple[str, str], ...]:
    """Names and languages of a server's list of voices, in any of the forms in use; empty where it is none of them.

    A list, or one under `voices` or `data`; each voice a name, or an object with `id` or `name` and perhaps `language`.
    """
    found = answer.get("voices", answer.get("data")) if isinstance(answer, Mapping) else answer
    voices = [_voice(each) for each in found] if isinstance(found, list) else []
    return tuple((name, language) for name, language in voices if name)


def _voice(each: object) -> tuple[str, str]:
    if isinstance(each, str):
        return each, ""
    if not isinstance(each, Mapping):
        return "", ""
    name, language = each.get("id") or each.get("name"), each.get("language")
    # "en-US" is English here.
    told = language.replace("_", "-").partition("-")[0].lower() if isinstance(language, str) else ""
    return (name if isinstance(name, str) else ""), told
