"""What is said in audio, by the fleet's own speech-to-text stage."""

import asyncio

import grpc
import grpc.aio
from voxfleet.stt.v1 import stt_pb2, stt_pb2_grpc

from chassis import audio
from chassis.errors import StageError
from chassis.formats import fleet_format
from chassis.grpc_errors import from_rpc_error, from_status
from chassis.interceptor import ADMITTED_KEY
from client.sound.speech import SpeechError
from client.turns import SAMPLE_RATE

STT_TARGET = "127.0.0.1:8002"
_SILENCE = bytes(SAMPLE_RATE)
"""Half a second behind the audio: Whisper leaves the last words out of audio that ends inside one."""
_MAX_SEND_BYTES = audio.SAMPLE_RATE * audio.BYTES_PER_SAMPLE


async def transcribe(pcm: bytes, *, language: str = "", target: str = STT_TARGET, timeout_s: float = 60.0) -> str:
    """The words in `pcm` (PCM s16le 24 kHz mono), by the speech-to-text stage at `target` (`host:port`).

    `language` is an ISO 639-1 code (empty: detected). Raises SpeechError.
    """
    samples = await asyncio.to_thread(
        audio.resample, audio.pcm_to_float(pcm + _SILENCE), SAMPLE_RATE, audio.SAMPLE_RATE
    )
    try:
        async with asyncio.timeout(timeout_s), grpc.aio.insecure_channel(target) as channel:
            return await _transcribe(channel, audio.float_to_pcm(samples), language)
    except StageError as error:
        raise SpeechError(f"speech-to-text at {target}: {error.message}") from error
    except grpc.aio.AioRpcError as error:
        raise SpeechError(f"speech-to-text at {target}: {from_rpc_error(error, 'stt').message}") from error
    except TimeoutError as error:
        raise SpeechError(f"the speech-to-text stage at {target} was not done within {timeout_s:g} s") from error


async def _transcribe(channel: grpc.aio.Channel, pcm: bytes, language: str) -> str:
    call = stt_pb2_grpc.SpeechToTextServiceStub(channel).Transcribe()
    try:
        # Audio that crosses a refusal would put gRPC's own "internal error" in the place of its reason.
        if not any(key == ADMITTED_KEY for key, _ in await call.initial_metadata()):
            raise from_status(await call.code(), await call.details(), await call.trailing_metadata(), "stt")
        config = stt_pb2.TranscribeConfig(format=fleet_format(), language=language)
        await call.write(stt_pb2.TranscribeRequest(config=config))
        for start in range(0, len(pcm), _MAX_SEND_BYTES):
            await call.write(stt_pb2.TranscribeRequest(audio=pcm[start : start + _MAX_SEND_BYTES]))
        await call.write(stt_pb2.TranscribeRequest(flush=stt_pb2.Flush(flush_id=1)))
        async for response in call:
            if response.HasField("final"):
                return response.final.text
    finally:
        call.cancel()
    raise SpeechError("speech-to-text: the stage ended without a text")
