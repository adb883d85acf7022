"""The text of audio that is all there already."""

import asyncio

from voxfleet.stt.v1 import stt_pb2

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.context import CallContext
from chassis.errors import Code, StageError
from services.orchestrator.clients import Stages

_PIECE_BYTES = SAMPLE_RATE * BYTES_PER_SAMPLE
_FLUSH = 1


async def transcribe(
    stages: Stages, context: CallContext, config: stt_pb2.TranscribeConfig, pcm: bytes, limit_s: float
) -> stt_pb2.Final:
    """The text of PCM s16le at 16 kHz, as one utterance. Raises StageError; TOO_LATE after `limit_s`."""
    try:
        async with asyncio.timeout(limit_s), stages.transcribe(context) as call:
            await call.send(stt_pb2.TranscribeRequest(config=config))
            for start in range(0, len(pcm), _PIECE_BYTES):
                await call.send(stt_pb2.TranscribeRequest(audio=pcm[start : start + _PIECE_BYTES]))
            await call.send(stt_pb2.TranscribeRequest(flush=stt_pb2.Flush(flush_id=_FLUSH)))
            async for response in call:
                if response.WhichOneof("event") == "final":
                    return response.final
    except TimeoutError as late:
        message = f"no text within {limit_s:g} s"
        raise StageError(Code.DEADLINE_EXCEEDED, "TOO_LATE", message, stage="stt") from late
    raise StageError(Code.UNAVAILABLE, "STREAM_BROKEN", "the stream ended before the text", stage="stt")
