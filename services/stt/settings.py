"""Settings of the speech-to-text server."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Port, StageSettings

ComputeType = Literal[
    "default",
    "auto",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]


class Settings(StageSettings):
    """Speech-to-text server: transcribes speech while it is spoken."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_STT_", extra="ignore", env_ignore_empty=True)

    port: Port = Field(8002, description="gRPC port; 0 picks a free one")
    engine: str = Field("faster_whisper", description="speech-to-text engine: faster_whisper")
    model: str = Field("whisper-base", description="model of the weights store: whisper-base or whisper-tiny-en")
    model_path: Path | None = Field(
        None, description="directory of a Whisper model converted for CTranslate2, in place of one of the store"
    )
    device: Literal["cpu", "cuda", "auto"] = Field("cpu", description="where the model runs: cpu, cuda or auto")
    device_index: int = Field(0, ge=0, description="which of several devices")
    compute_type: ComputeType = Field("int8", description="arithmetic of the model, as CTranslate2 names it")
    cpu_threads: int = Field(
        1, ge=1, description="CPU threads of one transcription; short clips on few cores gain nothing from a second"
    )
    workers: int = Field(1, ge=1, description="batches of transcriptions that run at once")
    max_batch: int | None = Field(
        None, ge=1, le=128, description="most final transcripts of one batch; default: 4 on a CPU, 32 on a GPU"
    )
    max_partial_batch: int | None = Field(
        None,
        ge=1,
        le=128,
        description="most partial transcripts of one batch, during which finals wait; default: 1 on a CPU, 32 on a GPU",
    )
    batch_wait_ms: float = Field(
        0.0, ge=0, le=100, description="milliseconds that a transcription waits for others to share its batch"
    )
    max_utterance_s: float = Field(300.0, gt=0, description="longest utterance, in seconds of audio")

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,) if self.model_path is None else ()
