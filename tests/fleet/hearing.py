"""What a person would hear: a reply's audio, transcribed by a recogniser that is not the fleet's own process."""

import asyncio
from functools import cache
from typing import Any

from chassis.audio import SAMPLE_RATE, pcm_to_float, resample
from chassis.weights import open_store

REPLY_RATE = 24_000


@cache
def _model() -> Any:
    from faster_whisper import WhisperModel

    directory = open_store().ensure("whisper-base")
    return WhisperModel(str(directory), device="cpu", compute_type="int8", cpu_threads=2)


def _transcribe(pcm: bytes, language: str) -> str:
    samples = resample(pcm_to_float(pcm), REPLY_RATE, SAMPLE_RATE)
    segments, _ = _model().transcribe(samples, language=language, beam_size=1, without_timestamps=True)
    return " ".join(segment.text for segment in segments).strip()


async def transcribe(pcm: bytes, language: str = "en") -> str:
    """The words in PCM s16le mono at 24 kHz."""
    return await asyncio.to_thread(_transcribe, pcm, language)
