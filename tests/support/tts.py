"""A scripted text-to-speech stage over real gRPC, for answers that a real one gives on no demand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
from voxfleet.audio.v1.audio_pb2 import AUDIO_ENCODING_PCM_S16LE, AudioFormat
from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc

from chassis.errors import StageError
from chassis.grpc_errors import to_status

# Held for good: whoever frees the last gRPC object of the process joins gRPC's poller thread, which blocks the loop.
grpc.aio.init_grpc_aio()


class ScriptedTts(tts_pb2_grpc.TextToSpeechServiceServicer):
    """Takes the config and sends the first of `responses`, takes the rest and sends the rest; or fails with `error`."""

    def __init__(self, responses: Sequence[tts_pb2.SynthesizeResponse] = (), error: StageError | None = None) -> None:
        self.requests: list[tts_pb2.SynthesizeRequest] = []
        self._responses = responses
        self._error = error

    async def Synthesize(
        self,
        request_iterator: AsyncIterator[tts_pb2.SynthesizeRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
        self.requests.append(await anext(request_iterator))
        if self._error is not None:
            await context.abort_with_status(cast(grpc.Status, to_status(self._error)))
        for response in self._responses[:1]:
            yield response
        self.requests.extend([request async for request in request_iterator])
        for response in self._responses[1:]:
            yield response

    async def ListVoices(
        self, request: tts_pb2.ListVoicesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> tts_pb2.ListVoicesResponse:
        return tts_pb2.ListVoicesResponse()


def speech(pcm: bytes, rate: int) -> list[tts_pb2.SynthesizeResponse]:
    """What a stage sends for speech at `rate` hertz, in two pieces."""
    form = AudioFormat(encoding=AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=rate, channels=1)
    half = len(pcm) // 4 * 2
    return [
        tts_pb2.SynthesizeResponse(format=form),
        tts_pb2.SynthesizeResponse(audio=tts_pb2.Audio(pcm=pcm[:half])),
        tts_pb2.SynthesizeResponse(audio=tts_pb2.Audio(pcm=pcm[half:])),
    ]


@asynccontextmanager
async def serving_tts(servicer: ScriptedTts) -> AsyncIterator[str]:
    """Serves it on a free port; gives `host:port`."""
    server = grpc.aio.server()
    tts_pb2_grpc.add_TextToSpeechServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
