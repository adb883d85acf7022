"""A stream's config, checked field by field."""

from dataclasses import dataclass
from typing import Self

from voxfleet.vad.v1.vad_pb2 import DetectConfig

from chassis.audio import ms_to_samples
from chassis.errors import StageError
from chassis.formats import require_fleet_format
from services.vad.settings import MAX_MIN_SPEECH_MS, MAX_STOP_SILENCE_MS, MIN_STOP_SILENCE_MS, Settings

MAX_START_OFFSET = 1 << 62
"""Largest offset a stream may start at: no stream reaches 2**64 from there."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What one stream listens for; lengths in samples."""

    start_offset: int
    threshold: float
    min_speech: int
    stop_silence: int
    frame_probabilities: bool

    @classmethod
    def from_message(cls, config: DetectConfig, defaults: Settings) -> Self:
        """Reads the message, with the server's defaults for what it leaves out. Raises StageError INVALID_FIELD."""
        require_fleet_format(config.format)
        if config.start_offset > MAX_START_OFFSET:
            raise StageError.invalid("start_offset", f"at most {MAX_START_OFFSET}, got {config.start_offset}")
        threshold = config.threshold if config.HasField("threshold") else defaults.threshold
        # Written so that NaN, which compares as false, is refused.
        if not 0 <= threshold <= 1:
            raise StageError.invalid("threshold", f"a number in [0, 1], got {threshold:g}")
        stop_silence_ms = config.stop_silence_ms if config.HasField("stop_silence_ms") else defaults.stop_silence_ms
        if not MIN_STOP_SILENCE_MS <= stop_silence_ms <= MAX_STOP_SILENCE_MS:
            expected = f"{MIN_STOP_SILENCE_MS} to {MAX_STOP_SILENCE_MS}, got {stop_silence_ms}"
            raise StageError.invalid("stop_silence_ms", expected)
        min_speech_ms = config.min_speech_ms if config.HasField("min_speech_ms") else defaults.min_speech_ms
        if min_speech_ms > MAX_MIN_SPEECH_MS:
            raise StageError.invalid("min_speech_ms", f"0 to {MAX_MIN_SPEECH_MS}, got {min_speech_ms}")
        return cls(
            start_offset=config.start_offset,
            threshold=threshold,
            min_speech=ms_to_samples(min_speech_ms),
            stop_silence=ms_to_samples(stop_silence_ms),
            frame_probabilities=config.frame_probabilities,
        )
