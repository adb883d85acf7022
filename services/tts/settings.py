"""Settings of the text-to-speech server."""

from collections.abc import Mapping

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Port, StageSettings


class Settings(StageSettings):
    """Text-to-speech server: speaks text that arrives in pieces."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_TTS_", extra="ignore", env_ignore_empty=True)

    port: Port = Field(8004, description="gRPC port; 0 picks a free one")
    engine: str = Field("embedded", description="engine: embedded (hibari for English, else kokoro), hibari or kokoro")
    language: str = Field("en", description="language of a stream that names neither language nor voice, ISO 639-1")
    voice_en: str | None = Field(None, description="default voice for English; unset: the engine's first")
    voice_zh: str | None = Field(None, description="default voice for Chinese; unset: the engine's first")
    voice_ja: str | None = Field(None, description="default voice for Japanese; unset: the engine's first")
    voice_es: str | None = Field(None, description="default voice for Spanish; unset: the engine's first")
    voice_fr: str | None = Field(None, description="default voice for French; unset: the engine's first")
    threads: int = Field(2, ge=1, description="pieces of text synthesised at once")
    model_threads: int = Field(1, ge=1, description="CPU threads of each model")
    max_pending: int = Field(256, ge=1, description="pieces that may wait for a thread; one more is RESOURCE_EXHAUSTED")
    preload: bool = Field(
        True, description="embedded: load Kokoro before ready; else at the first use, which then waits for it"
    )

    @property
    def default_voices(self) -> Mapping[str, str]:
        """Default voice by language, where one is set."""
        set_voices = {
            "en": self.voice_en,
            "zh": self.voice_zh,
            "ja": self.voice_ja,
            "es": self.voice_es,
            "fr": self.voice_fr,
        }
        return {language: voice for language, voice in set_voices.items() if voice}

    @property
    def models(self) -> tuple[str, ...]:
        return () if self.engine == "hibari" else ("kokoro-82m-int8",)
