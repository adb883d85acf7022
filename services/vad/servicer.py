"""The voice activity service over gRPC."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from voxfleet.vad.v1 import vad_pb2, vad_pb2_grpc

from chassis.audio import ms_to_samples
from chassis.formats import require_whole_samples
from chassis.streams import read_config, read_rest
from services.vad.config import StreamConfig
from services.vad.early_look import EarlyLook
from services.vad.engines.base import EndOfTurnEngine, Engine
from services.vad.gate import SpeechStarted
from services.vad.listener import FrameJudged, Listener, TurnFading, TurnPaused
from services.vad.read_ahead import read_ahead
from services.vad.settings import Settings
from services.vad.turn_audio import TurnAudio

EVENT_BACKLOG = 32
"""Events decided but not sent, while the end-of-turn engine thinks or the client does not read; then audio waits."""


class VoiceActivityServicer(vad_pb2_grpc.VoiceActivityServiceServicer):
    """Connects streams to the engines. Audio is read no faster than it is judged: the client waits in gRPC."""

    def __init__(self, engine: Engine, end_of_turn: EndOfTurnEngine, settings: Settings) -> None:
        self._engine = engine
        self._end_of_turn = end_of_turn
        self._settings = settings

    async def Detect(
        self,
        request_iterator: AsyncIterator[vad_pb2.DetectRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[vad_pb2.DetectResponse]:
        """See vad.proto. Half-close during speech also sends SpeechStopped, at the end of the audio."""
        first = await read_config(request_iterator, self._settings.idle_timeout_s)
        config = StreamConfig.from_message(first.config, self._settings)
        session = self._engine.open()
        try:
            listener = Listener(config, session, self._engine.frame_samples, self._turn_audio(config))
            events = listener.listen(self._audio(request_iterator))
            async with EarlyLook(self._end_of_turn) as look, read_ahead(events, EVENT_BACKLOG) as decided:
                async for event in decided:
                    if isinstance(event, TurnFading):
                        await look.begin(event.turn)
                    else:
                        yield await _response(event, look)
        finally:
            session.close()

    def _turn_audio(self, config: StreamConfig) -> TurnAudio | None:
        if not self._end_of_turn.context_samples:
            return None
        turn_gap = ms_to_samples(self._settings.turn_gap_ms)
        return TurnAudio(self._end_of_turn.context_samples, turn_gap, config.start_offset)

    async def _audio(self, requests: AsyncIterator[vad_pb2.DetectRequest]) -> AsyncIterator[bytes]:
        async for _, request in read_rest(requests, self._settings.idle_timeout_s):
            require_whole_samples(request.audio)
            yield request.audio


async def _response(event: FrameJudged | SpeechStarted | TurnPaused, look: EarlyLook) -> vad_pb2.DetectResponse:
    match event:
        case FrameJudged():
            judged = vad_pb2.FrameProbability(offset=event.offset, probability=event.probability)
            return vad_pb2.DetectResponse(frame_probability=judged)
        case SpeechStarted():
            started = vad_pb2.SpeechStarted(offset=event.offset, decided_offset=event.decided_offset)
            return vad_pb2.DetectResponse(speech_started=started)
        case TurnPaused():
            stopped = vad_pb2.SpeechStopped(
                offset=event.stopped.offset,
                decided_offset=event.stopped.decided_offset,
                end_of_turn_probability=await look.result(event.turn),
            )
            return vad_pb2.DetectResponse(speech_stopped=stopped)
