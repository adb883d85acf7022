"""What the real VAD and STT stages make of a clip: the events that the turn machine would be given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio
from voxfleet.stt.v1 import stt_pb2, stt_pb2_grpc
from voxfleet.vad.v1 import vad_pb2, vad_pb2_grpc

from chassis.audio import SAMPLE_RATE, float_to_pcm
from chassis.formats import fleet_format
from services.orchestrator.session_config import SessionConfig
from services.orchestrator.settings import Settings as OrchestratorSettings
from services.stt.settings import Settings as SttSettings
from services.stt.stage import build as build_stt
from services.vad.settings import Settings as VadSettings
from services.vad.stage import build as build_vad
from tests.bench.endpointing.clips import Clip
from tests.support.server import serving

MESSAGE_BYTES = 2 * SAMPLE_RATE // 10


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began at `offset`, known at `decided`."""

    offset: int
    decided: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Speech ended at `offset`, known at `decided`, with Smart Turn's `probability` and the flush's `text`."""

    offset: int
    decided: int
    probability: float | None
    text: str
    language: str


Heard = tuple[Started | Stopped, ...]


class Stages:
    """The two stages over gRPC, as the orchestrator's defaults ask them."""

    def __init__(self, vad: grpc.aio.Channel, stt: grpc.aio.Channel) -> None:
        self._vad: vad_pb2_grpc.VoiceActivityServiceAsyncStub = vad_pb2_grpc.VoiceActivityServiceStub(vad)
        self._stt: stt_pb2_grpc.SpeechToTextServiceAsyncStub = stt_pb2_grpc.SpeechToTextServiceStub(stt)
        self._config = SessionConfig.of(OrchestratorSettings())

    async def hear(self, clip: Clip) -> Heard:
        """All that happens in the clip; after its pause, only that speech goes on."""
        pcm = float_to_pcm(clip.samples)
        events = [event async for event in self._detect(pcm)]
        if clip.resumed:
            events = _up_to_resumption(events, clip.resumed)
        stops = [event for event in events if isinstance(event, Stopped)]
        if not stops:
            return tuple(events)
        first = next(event for event in events if isinstance(event, Started))
        start = max(0, first.offset - int(self._config.turn.prefix_s * SAMPLE_RATE))
        texts = await self._transcribe(pcm, start, [stop.decided for stop in stops], clip.language)
        told = iter(texts)
        return tuple(
            Stopped(event.offset, event.decided, event.probability, *next(told))
            if isinstance(event, Stopped)
            else event
            for event in events
        )

    async def _detect(self, pcm: bytes) -> AsyncIterator[Started | Stopped]:
        config = vad_pb2.DetectConfig(
            format=fleet_format(), threshold=self._config.threshold, stop_silence_ms=self._config.vad_silence_ms
        )

        async def requests() -> AsyncIterator[vad_pb2.DetectRequest]:
            yield vad_pb2.DetectRequest(config=config)
            for at in range(0, len(pcm), MESSAGE_BYTES):
                yield vad_pb2.DetectRequest(audio=pcm[at : at + MESSAGE_BYTES])

        async for response in self._vad.Detect(requests()):
            if response.HasField("speech_started"):
                yield Started(response.speech_started.offset, response.speech_started.decided_offset)
            elif response.HasField("speech_stopped"):
                stopped = response.speech_stopped
                known = stopped.HasField("end_of_turn_probability")
                probability = stopped.end_of_turn_probability if known else None
                yield Stopped(stopped.offset, stopped.decided_offset, probability, "", "")

    async def _transcribe(self, pcm: bytes, start: int, ends: list[int], language: str) -> list[tuple[str, str]]:
        """Text and language of the audio from `start` to each of `ends`, one utterance with a flush at each."""
        config = stt_pb2.TranscribeConfig(format=fleet_format(), start_offset=start, expected_language=language)

        async def requests() -> AsyncIterator[stt_pb2.TranscribeRequest]:
            yield stt_pb2.TranscribeRequest(config=config)
            position = start
            for number, end in enumerate(ends, 1):
                yield stt_pb2.TranscribeRequest(audio=pcm[2 * position : 2 * end])
                yield stt_pb2.TranscribeRequest(flush=stt_pb2.Flush(flush_id=number))
                position = end

        finals = [response.final async for response in self._stt.Transcribe(requests()) if response.HasField("final")]
        # The last answers the end of the stream.
        return [(final.text, final.language) for final in finals[:-1]]


@asynccontextmanager
async def stages(workers: int = 2) -> AsyncIterator[Stages]:
    """Both stages, served in this process, with the default models."""
    vad_settings, stt_settings = VadSettings(port=0), SttSettings(port=0, workers=workers)
    async with (
        serving(await build_vad(vad_settings), vad_settings) as vad,
        serving(await build_stt(stt_settings), stt_settings) as stt,
    ):
        yield Stages(vad, stt)


def _up_to_resumption(events: list[Started | Stopped], resumed: int) -> list[Started | Stopped]:
    """The events until speech is noticed behind the pause, that notice included."""
    found: list[Started | Stopped] = []
    for event in events:
        found.append(event)
        if isinstance(event, Started) and event.decided > resumed:
            break
    return found
