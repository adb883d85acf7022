"""Settings of the text-to-speech server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Port
from chassis.upstream_settings import UpstreamSettings


class Settings(UpstreamSettings):
    """Text-to-speech server: speaks text that arrives in pieces."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_TTS_", extra="ignore", env_ignore_empty=True)

    port: Port = Field(8004, description="gRPC port; 0 picks a free one")
    engine: str = Field(
        "embedded",
        description="engine: embedded (hibari for English, else kokoro), hibari, kokoro, openai_server, or fish_speech "
        "(its published weights are CC-BY-NC-SA-4.0: not for commercial use)",
    )
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

    upstream_format: Literal["pcm", "wav"] = Field(
        "pcm", description="openai_server: what audio to ask for: pcm or wav; either is understood whatever was asked"
    )
    upstream_sample_rate: int = Field(
        24_000, ge=8_000, le=48_000, description="openai_server: samples a second of its pcm, and of this stage's audio"
    )
    upstream_voices: str = Field(
        "",
        description="openai_server: voices, name or name=language, comma-separated; empty: what GET audio/voices lists",
    )
    upstream_languages: str = Field(
        "en,zh,ja,es,fr", description="openai_server: languages that it speaks, ISO 639-1, comma-separated"
    )

    onnx_provider: Literal["cpu", "cuda"] = Field(
        "cpu", description="embedded, hibari, kokoro: where the models run; cuda needs onnxruntime-gpu"
    )

    fish_weights: Path | None = Field(
        None,
        description="fish_speech: directory of the weights (config.json, tokenizer.tiktoken, special_tokens.json, "
        "model.pth, codec.pth); those of OpenAudio S1-mini are CC-BY-NC-SA-4.0: not for commercial use",
    )
    fish_voices: Path | None = Field(
        None, description="fish_speech: directory of voices to imitate, LANGUAGE/NAME.wav and its words in NAME.txt"
    )
    fish_device: Literal["cuda", "cpu"] = Field("cuda", description="fish_speech: where the model runs")
    fish_acceleration: Literal["none", "graphs", "compile"] = Field(
        "graphs",
        description="fish_speech: none; graphs: steps recorded as CUDA graphs; compile: compiled before that, which "
        "makes the start take minutes. Both are done before ready, and without a GPU nothing is recorded",
    )
    fish_rows: int = Field(16, ge=1, le=256, description="fish_speech: utterances spoken at once, in batched steps")
    fish_positions: int = Field(
        2048, ge=512, description="fish_speech: tokens of one utterance, its reference included; memory is per row"
    )
    fish_first_chunk: int = Field(4, ge=1, description="fish_speech: frames of 46 ms in the first chunk of audio")
    fish_chunk: int = Field(16, ge=1, description="fish_speech: frames in the longest chunk; each doubles up to it")
    fish_left_context: int = Field(64, ge=1, description="fish_speech: frames decoded again before each chunk")
    fish_temperature: float = Field(0.7, ge=0, le=2, description="fish_speech: 0 is always the likeliest code")
    fish_top_p: float = Field(0.7, gt=0, le=1, description="fish_speech: share of probability that codes come from")
    fish_repetition_penalty: float = Field(1.2, ge=1, le=2, description="fish_speech: 1 is none")
    reference_max_s: float = Field(20.0, ge=1, description="longest recording of a voice to imitate, in seconds")
    reference_max_bytes: int = Field(
        1_000_000, ge=1, description="largest recording; what comes over gRPC must fit into max_message_bytes too"
    )
    reference_cache: int = Field(64, ge=1, description="recordings whose encoded form is kept, those used last")

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
        return () if self.engine in ("fish_speech", "hibari", "openai_server") else ("kokoro-82m-int8",)
