"""Audio that a client puts into the conversation as items, whole: each recording is transcribed as one utterance."""

import asyncio
from collections.abc import Callable, Mapping

from voxfleet.stt.v1 import stt_pb2

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.context import CallContext
from chassis.errors import StageError
from chassis.formats import fleet_format
from services.orchestrator import events
from services.orchestrator.clients import Stages
from services.orchestrator.conversation import Conversation
from services.orchestrator.ids import new_id
from services.orchestrator.settings import Settings
from services.orchestrator.transcription import transcribe


class Recordings:
    """Transcribes the recordings of one session, one at a time. `emit` tells the client."""

    def __init__(
        self,
        stages: Stages,
        settings: Settings,
        conversation: Conversation,
        emit: Callable[[events.Event], None],
    ) -> None:
        self._stages = stages
        self._settings = settings
        self._conversation = conversation
        self._emit = emit
        self._turn = asyncio.Lock()
        self._pending: dict[asyncio.Task[None], float] = {}

    @property
    def pending(self) -> bool:
        """Whether any recording is still to be understood."""
        return bool(self._pending)

    @property
    def room_s(self) -> float:
        """Seconds of audio that may wait beside what waits already."""
        return self._settings.max_file_s - sum(self._pending.values())

    def add(
        self,
        item_id: str,
        recordings: Mapping[int, bytes],
        config: stt_pb2.TranscribeConfig,
        context: CallContext,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """Transcribes `recordings`: by the number of the item's part, PCM s16le mono at 16 kHz. The caller keeps to
        `room_s`."""
        config.format.CopyFrom(fleet_format())
        for index, pcm in recordings.items():
            work = self._understand(item_id, index, pcm, config, context.for_turn(new_id("rec")))
            task = tasks.create_task(work)
            self._pending[task] = seconds(pcm)
            task.add_done_callback(self._pending.pop)

    async def settled(self) -> None:
        """Returns once all that was added before is understood, or could not be."""
        if self._pending:
            await asyncio.wait(tuple(self._pending))

    async def _understand(
        self, item_id: str, index: int, pcm: bytes, config: stt_pb2.TranscribeConfig, context: CallContext
    ) -> None:
        async with self._turn:
            try:
                final = await transcribe(self._stages, context, config, pcm, self._settings.file_timeout_s)
            except StageError as failure:
                self._emit(events.AudioNotUnderstood(item_id, index, failure))
                return
        if item_id in self._conversation:
            self._conversation.update(self._conversation.get(item_id).understood(index, final.text))
            self._emit(events.AudioUnderstood(item_id, index, final.text, round(seconds(pcm), 2)))


def seconds(pcm: bytes) -> float:
    """How long PCM s16le mono at 16 kHz is."""
    return len(pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
