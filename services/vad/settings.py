"""Settings of the voice activity server."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Port, StageSettings

MIN_STOP_SILENCE_MS = 32
MAX_STOP_SILENCE_MS = 10_000
MAX_MIN_SPEECH_MS = 1_000


class Settings(StageSettings):
    """Voice activity server: says when a person starts and stops speaking."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_VAD_", extra="ignore", env_ignore_empty=True)

    port: Port = Field(8001, description="gRPC port; 0 picks a free one")
    engine: str = Field("silero", description="voice activity engine: silero")
    end_of_turn_engine: str = Field("smart_turn", description="end-of-turn engine: smart_turn or none")
    threshold: float = Field(
        0.5, ge=0, le=1, description="speech probability at or above which a frame is speech, where a stream sets none"
    )
    stop_silence_ms: int = Field(
        200,
        ge=MIN_STOP_SILENCE_MS,
        le=MAX_STOP_SILENCE_MS,
        description="silence that ends speech, in milliseconds, where a stream sets none",
    )
    min_speech_ms: int = Field(
        64,
        ge=0,
        le=MAX_MIN_SPEECH_MS,
        description="speech needed before it is reported, in milliseconds, where a stream sets none",
    )
    turn_gap_ms: int = Field(
        3_000, ge=0, description="silence after which the end-of-turn engine forgets earlier speech, in milliseconds"
    )
    threads: int = Field(1, ge=1, description="CPU threads of the voice activity model")
    end_of_turn_threads: int = Field(1, ge=1, description="CPU threads of the end-of-turn model")
    batch_window_ms: float = Field(
        8.0, ge=0, le=32, description="frames of several streams wait for each other this long at most, in milliseconds"
    )
    max_batch_size: int = Field(64, ge=1, description="most frames the voice activity model judges at once")

    @property
    def models(self) -> tuple[str, ...]:
        return ("silero-vad", "smart-turn") if self.end_of_turn_engine == "smart_turn" else ("silero-vad",)
