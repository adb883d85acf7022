"""A session's voice activity: feeds the tape to the VAD stage for as long as the session lives."""

import asyncio
import logging
import time
from collections.abc import Callable

from voxfleet.vad.v1 import vad_pb2

from chassis.audio import SAMPLE_RATE
from chassis.context import CallContext
from chassis.errors import StageError
from chassis.formats import fleet_format
from chassis.metrics import FRAMES_DROPPED
from services.orchestrator.clients import Stages, VadCall
from services.orchestrator.tape import Tape
from services.orchestrator.turn_events import SpeechStarted, SpeechStopped

log = logging.getLogger(__name__)

VAD_FRAME = 512
"""Samples that voice activity is judged by; audio short of a frame would only wait at the other end."""
_RETRY_S = (0.1, 0.25, 0.5, 1.0)
# A stream that held for this long was a good one: its loss is news, and it is tried again at once.
_GOOD_STREAM_S = 2.0
# Audio that a lost stream may not have judged any more; it is judged again.
_REWIND = SAMPLE_RATE // 2


class Detection:
    """Watches one tape. `on_event` gets SpeechStarted and SpeechStopped, `on_error` each loss of the stage, once."""

    def __init__(
        self,
        stages: Stages,
        tape: Tape,
        context: CallContext,
        on_event: Callable[[SpeechStarted | SpeechStopped], None],
        on_error: Callable[[StageError], None],
    ) -> None:
        self._stages = stages
        self._tape = tape
        self._context = context
        self._on_event = on_event
        self._on_error = on_error
        self._reader = tape.follow(tape.end, VAD_FRAME)
        self._in_speech = False
        self._judged = tape.end

    @property
    def position(self) -> int:
        """Offset up to which audio has been sent to the stage."""
        return self._reader.position

    async def run(self, threshold: float | None, stop_silence_ms: int) -> None:
        """Detects until cancelled. A lost stream is opened again where it broke; audio too old for that is counted."""
        failures = 0
        while True:
            opened_at = time.monotonic()
            try:
                await self._watch(threshold, stop_silence_ms)
                log.warning("vad ended the stream")
            except* StageError as group:
                error = StageError.first_of(group)
                if failures == 0 or time.monotonic() - opened_at >= _GOOD_STREAM_S:
                    self._on_error(error)
                log.warning("vad lost", extra={"reason": error.reason})
            failures = 1 if time.monotonic() - opened_at >= _GOOD_STREAM_S else failures + 1
            if self._in_speech:
                # Nobody will say when this speech ended. It ended here: the turn goes on with what was heard.
                self._in_speech = False
                self._judged = self.position
                self._on_event(SpeechStopped(self.position, self.position, None))
            self._reader.seek(max(self._judged, self.position - _REWIND))
            await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S)) - 1])

    async def _watch(self, threshold: float | None, stop_silence_ms: int) -> None:
        if self.position < self._tape.start:
            FRAMES_DROPPED.labels("vad", "backlog").inc(self._tape.start - self.position)
            self._reader.seek(self._tape.start)
        config = vad_pb2.DetectConfig(
            format=fleet_format(), start_offset=self.position, threshold=threshold, stop_silence_ms=stop_silence_ms
        )
        async with self._stages.detect(self._context) as call, asyncio.TaskGroup() as tasks:
            feeder = tasks.create_task(self._feed(call, config))
            async for response in call:
                match response.WhichOneof("event"):
                    case "speech_started":
                        self._in_speech = True
                        self._judged = response.speech_started.decided_offset
                        self._on_event(SpeechStarted(response.speech_started.offset))
                    case "speech_stopped":
                        self._in_speech = False
                        stopped = response.speech_stopped
                        self._judged = stopped.decided_offset
                        known = stopped.HasField("end_of_turn_probability")
                        probability = stopped.end_of_turn_probability if known else None
                        self._on_event(SpeechStopped(stopped.offset, stopped.decided_offset, probability))
            feeder.cancel()

    async def _feed(self, call: VadCall, config: vad_pb2.DetectConfig) -> None:
        await call.send(vad_pb2.DetectRequest(config=config))
        async for pcm in self._reader:
            await call.send(vad_pb2.DetectRequest(audio=pcm))
