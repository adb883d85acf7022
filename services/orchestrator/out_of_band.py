"""Replies beside the conversation: they leave it, and who has the floor, as they are."""

import asyncio
from collections.abc import Callable

from voxfleet.llm.v1 import llm_pb2

from chassis.context import CallContext
from chassis.errors import StageError
from services.orchestrator import events
from services.orchestrator.clients import Stages
from services.orchestrator.marks import TurnMarks
from services.orchestrator.reply import Reply, ReplyRequest
from services.orchestrator.response import Response
from services.orchestrator.settings import Settings
from services.orchestrator.turn_events import CancelReason

MAX_AT_ONCE = 4
"""Replies of one session beside its conversation. Each holds streams of the stages that others need, too."""


class OutOfBand:
    """Starts and ends such replies. `emit` tells the client."""

    def __init__(self, stages: Stages, settings: Settings, emit: Callable[[events.Event], None]) -> None:
        self._stages = stages
        self._settings = settings
        self._emit = emit
        self._active: dict[str, Response] = {}

    def __len__(self) -> int:
        return len(self._active)

    def start(
        self, request: ReplyRequest, config: llm_pb2.ChatConfig, context: CallContext, tasks: asyncio.TaskGroup
    ) -> None:
        """Begins a reply; the caller keeps to `MAX_AT_ONCE`."""
        response = Response(self, None, self._emit)
        self._active[response.id] = response
        reply = Reply(config, self._settings, response)
        response.carry(reply, tasks.create_task(reply.run(self._stages, context)))
        reply.ask(request, TurnMarks())
        response.begin()

    def cancel(self, response_id: str) -> bool:
        """Stops the reply of that id; False where there is none."""
        response = self._active.pop(response_id, None)
        if response is None:
            return False
        response.cancel(CancelReason.CLIENT, None, response.reply.sent_text)
        return True

    # -- what a reply does ---------------------------------------------------------------------------------------------

    def on_ready(self, response: Response) -> None:
        """Nothing: it may be heard from the start."""

    def on_audio_begins(self, response: Response) -> None:
        """Nothing: it answers no turn whose latency could be measured."""

    def on_ended(self, response: Response) -> None:
        del self._active[response.id]
        response.finish()

    def on_failed(self, response: Response, error: StageError) -> None:
        del self._active[response.id]
        response.cancel(CancelReason.FAILED, error, response.reply.sent_text)
