"""The replies of one session: their tasks, and what the turn machine says of each."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from voxfleet.llm.v1 import llm_pb2

from chassis.context import CallContext
from chassis.errors import StageError
from chassis.metrics import (
    DRAFT_AUDIO_WASTED,
    DRAFT_TOKENS_WASTED,
    DRAFTS,
    INTERRUPTIONS,
    STAGE_LATENCY,
    TURNS,
)
from services.orchestrator import events
from services.orchestrator import turn_events as turns
from services.orchestrator.clients import Stages
from services.orchestrator.conversation import Conversation, Item, Role
from services.orchestrator.ids import new_id
from services.orchestrator.marks import TurnMarks
from services.orchestrator.reply import Reply, ReplyRequest
from services.orchestrator.response import Response
from services.orchestrator.settings import Settings

# Replies whose audio a client can still truncate; the oldest are forgotten.
_TRUNCATABLE = 8


class Replies:
    """Starts, releases and ends replies as the turn machine says. `emit` tells the client, `dispatch` the machine."""

    def __init__(
        self,
        stages: Stages,
        settings: Settings,
        conversation: Conversation,
        emit: Callable[[events.Event], None],
        dispatch: Callable[[turns.Event], None],
    ) -> None:
        self._stages = stages
        self._settings = settings
        self._conversation = conversation
        self._emit = emit
        self._dispatch = dispatch
        self._active: dict[int, Response] = {}
        self._prepared: Response | None = None
        self._truncatable: OrderedDict[str, Reply] = OrderedDict()

    # -- what the turn machine says ------------------------------------------------------------------------------------

    def prepare(self, config: llm_pb2.ChatConfig, context: CallContext, tasks: asyncio.TaskGroup) -> None:
        """Shows the conversation to the language model, for the reply that will come."""
        self.forget_prepared()
        response = Response(self, self._conversation, self._emit)
        reply = Reply(config, self._settings, response)
        response.carry(reply, tasks.create_task(reply.run(self._stages, context)))
        self._prepared = response

    def prefill(self, text: str) -> None:
        """Shows it what the person has said so far."""
        if self._prepared is not None and text:
            self._prepared.reply.prefill(text)

    def forget_prepared(self) -> None:
        """There will be no such reply."""
        if self._prepared is not None:
            self._prepared.stop()
            self._prepared = None

    def start(
        self,
        request: ReplyRequest,
        config: llm_pb2.ChatConfig,
        marks: TurnMarks,
        context: CallContext,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """Asks for a reply; nothing of it leaves yet. A reply that was prepared for the same conversation is taken."""
        if self._prepared is None or self._prepared.reply.config != config:
            self.prepare(config, context, tasks)
        assert self._prepared is not None
        response, self._prepared = self._prepared, None
        self._active[request.turn] = response
        response.reply.ask(request, marks)

    def release(self, turn: int, draft: bool, user_item_id: str) -> None:
        """Lets a reply be heard. `user_item_id` is the item that it answers ("": none)."""
        response = self._active[turn]
        response.user_item_id = user_item_id
        response.reply.marks.draft = draft
        self._truncatable[response.item_id] = response.reply
        if len(self._truncatable) > _TRUNCATABLE:
            self._truncatable.popitem(last=False)
        if draft:
            DRAFTS.labels("kept").inc()
        response.begin()

    def pause(self, turn: int) -> None:
        """Sends nothing of a reply until `resume`."""
        response = self._active[turn]
        response.reply.pause()
        self._emit(events.ReplyPaused(response.id, response.item_id))

    def resume(self, turn: int) -> None:
        """Goes on with a paused reply."""
        response = self._active[turn]
        response.reply.resume(time.monotonic())
        self._emit(events.ReplyResumed(response.id, response.item_id))

    def cancel(self, turn: int, reason: turns.CancelReason, error: StageError | None) -> None:
        """Stops a reply; the conversation keeps what was heard of it."""
        response = self._active.pop(turn)
        if not response.begun:
            DRAFTS.labels("discarded").inc()
            DRAFT_TOKENS_WASTED.inc(response.reply.tokens)
            DRAFT_AUDIO_WASTED.inc(response.reply.waiting_s)
        else:
            if reason is turns.CancelReason.INTERRUPTED:
                INTERRUPTIONS.inc()
            TURNS.labels("interrupted" if reason is turns.CancelReason.INTERRUPTED else reason.value).inc()
        response.cancel(reason, error, response.reply.heard_text(time.monotonic()))

    def finish(self, turn: int) -> None:
        """A reply was sent whole."""
        TURNS.labels("completed").inc()
        self._active.pop(turn).finish()

    def tell_cancelled(self, request: ReplyRequest, max_output_tokens: int) -> None:
        """Tells of a reply that the client called off before it could begin."""
        response_id, item_id = new_id("resp"), new_id("item")
        self._emit(
            events.ReplyBegan(
                response_id,
                item_id,
                request.modality,
                request.voice,
                max_output_tokens,
                request.metadata,
                request.audio_format,
            )
        )
        item = Item(item_id, role=Role.ASSISTANT, status="incomplete")
        self._emit(events.ReplyDone(response_id, item, cancelled=turns.CancelReason.CLIENT))

    # -- what the client asks ------------------------------------------------------------------------------------------

    def truncate(self, item_id: str, audio_ms: int) -> Item:
        """Cuts a reply's item to what its first `audio_ms` ms say. LookupError where it is no spoken reply of late."""
        reply = self._truncatable[item_id]
        self._conversation.get(item_id)
        heard = reply.heard_until(min(audio_ms, reply.audio_ms))
        for response in self._active.values():
            if response.item_id == item_id:
                # The client knows better than the clock what was heard, also when the reply ends.
                response.cut_to = heard
        return self._conversation.truncate(item_id, heard)

    def report_playout(self, item_id: str, audio_ms: float, *, playing: bool) -> None:
        """The client's loudspeaker is `audio_ms` into the reply `item_id`. Of a reply that is over it tells nothing."""
        for response in self._active.values():
            if response.begun and response.item_id == item_id:
                response.reply.report_playout(audio_ms, time.monotonic(), playing=playing)

    def is_active(self, response_id: str) -> bool:
        """Whether the client was told of a response of that id, and not yet of its end."""
        return any(response.begun and response.id == response_id for response in self._active.values())

    def spoken_of_late(self) -> str:
        """What the loudspeaker says now or has just said."""
        latest = next(reversed(self._truncatable.values()), None)
        return latest.sent_text if latest is not None else ""

    # -- what a reply does ---------------------------------------------------------------------------------------------

    def on_ready(self, response: Response) -> None:
        self._dispatch(turns.DraftReady(response.reply.request.turn))

    def on_audio_begins(self, response: Response) -> None:
        reply = response.reply
        for stage, seconds in reply.marks.stage_seconds().items():
            STAGE_LATENCY.labels(stage).observe(seconds)
        self._emit(
            events.TurnMeasured(
                response.id,
                response.user_item_id,
                reply.request.language,
                reply.marks.draft,
                reply.marks.since_speech_ms(),
            )
        )

    def on_ended(self, response: Response) -> None:
        self._dispatch(turns.ReplyEnded(response.reply.request.turn))

    def on_failed(self, response: Response, error: StageError) -> None:
        self._dispatch(turns.ReplyFailed(response.reply.request.turn, error))
