"""The replies of one session: their tasks, what the client is told of each, and what of it joins the conversation."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

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
from services.orchestrator.conversation import Conversation, Item, ItemKind, ItemStatus, Role
from services.orchestrator.marks import TurnMarks
from services.orchestrator.reply import Reply, ReplyRequest
from services.orchestrator.settings import Settings

# Replies whose audio a client can still truncate; the oldest are forgotten.
_TRUNCATABLE = 8


def new_id(kind: str) -> str:
    """A new id such as `item_1f3a…`."""
    return f"{kind}_{secrets.token_hex(12)}"


@dataclass(slots=True)
class _Speaking:
    reply: Reply
    task: asyncio.Task[None]
    response_id: str
    item_id: str
    user_item_id: str = ""
    released: bool = False
    measured: bool = False
    cut_to: str | None = None


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
        self._active: dict[int, _Speaking] = {}
        self._prepared: _Speaking | None = None
        self._truncatable: OrderedDict[str, Reply] = OrderedDict()

    # -- what the turn machine says ------------------------------------------------------------------------------------

    def prepare(self, config: llm_pb2.ChatConfig, context: CallContext, tasks: asyncio.TaskGroup) -> None:
        """Shows the conversation to the language model, for the reply that will come."""
        self.forget_prepared()
        reply = Reply(config, self._settings, self)
        task = tasks.create_task(reply.run(self._stages, context))
        self._prepared = _Speaking(reply, task, new_id("resp"), new_id("item"))

    def prefill(self, text: str) -> None:
        """Shows it what the person has said so far."""
        if self._prepared is not None and text:
            self._prepared.reply.prefill(text)

    def forget_prepared(self) -> None:
        """There will be no such reply."""
        if self._prepared is not None:
            self._prepared.task.cancel()
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
        speaking, self._prepared = self._prepared, None
        self._active[request.turn] = speaking
        speaking.reply.ask(request, marks)

    def release(self, turn: int, draft: bool, user_item_id: str) -> None:
        """Lets a reply be heard. `user_item_id` is the item that it answers ("": none)."""
        speaking = self._active[turn]
        speaking.released = True
        speaking.user_item_id = user_item_id
        speaking.reply.marks.draft = draft
        previous = self._conversation.last_id
        spoken = speaking.reply.request.modality == "audio"
        self._conversation.add(Item(speaking.item_id, role=Role.ASSISTANT, spoken=spoken, status="in_progress"))
        self._truncatable[speaking.item_id] = speaking.reply
        if len(self._truncatable) > _TRUNCATABLE:
            self._truncatable.popitem(last=False)
        if draft:
            DRAFTS.labels("kept").inc()
        modality = speaking.reply.request.modality
        self._emit(events.ReplyBegan(speaking.response_id, speaking.item_id, previous, modality))
        speaking.reply.release()

    def pause(self, turn: int) -> None:
        """Sends nothing of a reply until `resume`."""
        speaking = self._active[turn]
        speaking.reply.pause()
        self._emit(events.ReplyPaused(speaking.response_id, speaking.item_id))

    def resume(self, turn: int) -> None:
        """Goes on with a paused reply."""
        speaking = self._active[turn]
        speaking.reply.resume(time.monotonic())
        self._emit(events.ReplyResumed(speaking.response_id, speaking.item_id))

    def cancel(self, turn: int, reason: turns.CancelReason, error: StageError | None) -> None:
        """Stops a reply; the conversation keeps what was heard of it."""
        speaking = self._active.pop(turn)
        speaking.task.cancel()
        if not speaking.released:
            DRAFTS.labels("discarded").inc()
            DRAFT_TOKENS_WASTED.inc(speaking.reply.tokens)
            DRAFT_AUDIO_WASTED.inc(speaking.reply.waiting_s)
            return
        if reason is turns.CancelReason.INTERRUPTED:
            INTERRUPTIONS.inc()
        TURNS.labels("interrupted" if reason is turns.CancelReason.INTERRUPTED else reason.value).inc()
        if error is not None:
            self._emit(events.SessionError(error.reason.lower(), error.message, error.stage))
        heard = speaking.reply.heard_text(time.monotonic()) if speaking.cut_to is None else speaking.cut_to
        item = self._keep(speaking.item_id, heard, "incomplete")
        self._emit(
            events.ReplyDone(
                speaking.response_id,
                item,
                cancelled=reason,
                error=error,
                usage=_usage(speaking.reply),
                text=speaking.reply.sent_text,
            )
        )

    def finish(self, turn: int) -> None:
        """A reply was sent whole; it joins the conversation, and so do the functions that it calls."""
        speaking = self._active.pop(turn)
        outcome = speaking.reply.outcome
        TURNS.labels("completed").inc()
        if speaking.cut_to is None:
            item = self._keep(speaking.item_id, speaking.reply.sent_text, "completed")
        else:
            item = self._keep(speaking.item_id, speaking.cut_to, "incomplete")
        calls = []
        for call in outcome.calls:
            call_item = Item(
                new_id("item"),
                ItemKind.FUNCTION_CALL,
                name=call.name,
                call_id=call.id,
                arguments=call.arguments_json,
            )
            calls.append(events.FunctionCall(call_item, self._conversation.last_id))
            self._conversation.add(call_item)
        self._emit(
            events.ReplyDone(
                speaking.response_id,
                item,
                tuple(calls),
                cut_at_length=outcome.cut_at_length,
                usage=_usage(speaking.reply),
                text=item.text,
            )
        )

    # -- what the client asks ------------------------------------------------------------------------------------------

    def truncate(self, item_id: str, audio_ms: int) -> Item:
        """Cuts a reply's item to what its first `audio_ms` ms say. LookupError where it is no spoken reply of late."""
        reply = self._truncatable[item_id]
        heard = reply.heard_until(min(audio_ms, reply.audio_ms))
        for speaking in self._active.values():
            if speaking.item_id == item_id:
                # The client knows better than the clock what was heard, also when the reply ends.
                speaking.cut_to = heard
        return self._conversation.truncate(item_id, heard)

    def report_playout(self, item_id: str, audio_ms: float, *, playing: bool) -> None:
        """The client's loudspeaker is `audio_ms` into the reply `item_id`. Of a reply that is over it tells nothing."""
        for speaking in self._active.values():
            if speaking.released and speaking.item_id == item_id:
                speaking.reply.report_playout(audio_ms, time.monotonic(), playing=playing)

    def spoken_of_late(self) -> str:
        """What the loudspeaker says now or has just said."""
        latest = next(reversed(self._truncatable.values()), None)
        return latest.sent_text if latest is not None else ""

    # -- what a reply does ---------------------------------------------------------------------------------------------

    def on_reply_ready(self, turn: int) -> None:
        self._dispatch(turns.DraftReady(turn))

    def on_reply_text(self, turn: int, text: str) -> None:
        speaking = self._active[turn]
        self._emit(events.ReplyText(speaking.response_id, speaking.item_id, text))

    def on_reply_audio(self, turn: int, pcm: bytes, rate: int) -> None:
        speaking = self._active[turn]
        if not speaking.measured:
            speaking.measured = True
            self._measure(speaking)
        self._emit(events.ReplyAudio(speaking.response_id, speaking.item_id, pcm, rate))

    def on_reply_ended(self, turn: int) -> None:
        self._dispatch(turns.ReplyEnded(turn))

    def on_reply_failed(self, turn: int, error: StageError) -> None:
        self._dispatch(turns.ReplyFailed(turn, error))

    def _measure(self, speaking: _Speaking) -> None:
        marks = speaking.reply.marks
        for stage, seconds in marks.stage_seconds().items():
            STAGE_LATENCY.labels(stage).observe(seconds)
        self._emit(
            events.TurnMeasured(
                speaking.response_id,
                speaking.user_item_id,
                speaking.reply.request.language,
                marks.draft,
                marks.since_speech_ms(),
            )
        )

    def _keep(self, item_id: str, text: str, status: ItemStatus) -> Item:
        """Writes a reply's end into the conversation; the client may have deleted the item meanwhile."""
        item = Item(item_id, role=Role.ASSISTANT, text=text, spoken=True, status=status)
        if item_id in self._conversation:
            item = replace(self._conversation.get(item_id), text=text, status=status)
            self._conversation.update(item)
        return item


def _usage(reply: Reply) -> events.Usage:
    usage = reply.outcome.usage
    return events.Usage(usage.input_tokens, usage.cached_tokens, usage.output_tokens)
