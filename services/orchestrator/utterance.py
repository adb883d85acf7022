"""One utterance on its way through the STT stage: audio from the tape in, partials and the text at each flush out."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from voxfleet.stt.v1 import stt_pb2

from chassis.audio import SAMPLE_RATE
from chassis.context import CallContext
from chassis.errors import Code, StageError
from chassis.formats import fleet_format
from services.orchestrator.clients import Stages, SttCall
from services.orchestrator.tape import Tape

log = logging.getLogger(__name__)

# 20 ms: how closely the stage can follow where sound ends, whatever the size of the client's messages.
_FRAME = SAMPLE_RATE // 50
# A stage that is restarted is back within this time, or the turn is lost.
_REOPEN_AFTER_S = (0.2, 0.5, 1.0, 2.0)


class Listener(Protocol):
    """Who wants to know what was said."""

    def on_partial(self, utterance: int, stable: str, unstable: str) -> None: ...

    def on_text(self, utterance: int, flush: int, text: str, language: str) -> None: ...

    def on_transcription_failed(self, utterance: int, error: StageError) -> None: ...


class Utterance:
    """Transcribes the tape from `start` on. `run` it as a task; cancelling the task frees the stream."""

    def __init__(self, number: int, start: int, tape: Tape, listener: Listener) -> None:
        self.number = number
        self._start = start
        self._tape = tape
        self._listener = listener
        self._reader = tape.follow(start, _FRAME)
        self._flush = 0
        self._moved = asyncio.Event()

    def flush(self, flush: int, end: int) -> None:
        """Sends audio up to `end` only, and asks for its text as flush number `flush`."""
        self._flush = flush
        self._reader.stop_at(end)
        self._moved.set()

    def resume(self) -> None:
        """Sends the audio after the last flush as well."""
        self._reader.go_on()
        self._moved.set()

    async def run(
        self, stages: Stages, context: CallContext, open_call: Callable[[], stt_pb2.TranscribeConfig]
    ) -> None:
        """Transcribes until cancelled. A stage that went away is tried again with the whole utterance: nothing is lost
        while the tape still holds its beginning."""
        for attempt in range(len(_REOPEN_AFTER_S) + 1):
            try:
                await self._transcribe(stages, context, open_call())
            except* StageError as group:
                error = StageError.first_of(group)
                retry = error.code is Code.UNAVAILABLE and attempt < len(_REOPEN_AFTER_S)
                log.warning("stt lost", extra={"reason": error.reason, "retry": retry})
                if not retry:
                    self._listener.on_transcription_failed(self.number, error)
            else:
                return
            if not retry:
                return
            await asyncio.sleep(_REOPEN_AFTER_S[attempt])

    async def _transcribe(self, stages: Stages, context: CallContext, config: stt_pb2.TranscribeConfig) -> None:
        async with stages.transcribe(context) as call, asyncio.TaskGroup() as tasks:
            feeder = tasks.create_task(self._feed(call, config))
            async for response in call:
                match response.WhichOneof("event"):
                    case "partial":
                        partial = response.partial
                        self._listener.on_partial(self.number, partial.stable, partial.unstable)
                    case "final":
                        final = response.final
                        self._listener.on_text(self.number, final.flush_id, final.text, final.language)
            feeder.cancel()

    async def _feed(self, call: SttCall, config: stt_pb2.TranscribeConfig) -> None:
        flushed = 0
        self._reader.seek(max(self._start, self._tape.start))
        config.format.CopyFrom(fleet_format())
        config.start_offset = self._reader.position
        await call.send(stt_pb2.TranscribeRequest(config=config))
        while True:
            self._moved.clear()
            async for pcm in self._reader:
                await call.send(stt_pb2.TranscribeRequest(audio=pcm))
            if self._flush > flushed:
                flushed = self._flush
                await call.send(stt_pb2.TranscribeRequest(flush=stt_pb2.Flush(flush_id=flushed)))
            await self._moved.wait()
