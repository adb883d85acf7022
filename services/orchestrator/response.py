"""One reply as the client is told of it: its items in order, and what of them joins the conversation.

Items come one after the other. A call that the reply begins with is told while it is written; one behind the message
only after the message is over, because whoever cuts the message off wants no call after it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from chassis.errors import StageError
from services.orchestrator import events
from services.orchestrator.conversation import Conversation, Item, ItemKind, ItemStatus, Role
from services.orchestrator.ids import new_id
from services.orchestrator.outcome import Call
from services.orchestrator.reply import Reply
from services.orchestrator.turn_events import CancelReason


class ResponseOwner(Protocol):
    """Who decides what becomes of a response. Of the last two one is called, once."""

    def on_ready(self, response: "Response") -> None: ...

    def on_audio_begins(self, response: "Response") -> None: ...

    def on_ended(self, response: "Response") -> None: ...

    def on_failed(self, response: "Response", error: StageError) -> None: ...


@dataclass(slots=True)
class _ToldCall:
    """A call of which the client was told `told` characters."""

    item: Item
    told: int = 0
    over: bool = False


class Response:
    """Listens to a reply. Nothing is told before `begin`; then `finish` or `cancel` ends it.

    `conversation` None: the reply joins none.
    """

    def __init__(
        self, owner: ResponseOwner, conversation: Conversation | None, emit: Callable[[events.Event], None]
    ) -> None:
        self.id = new_id("resp")
        self.item_id = new_id("item")
        self.user_item_id = ""
        self.cut_to: str | None = None
        """What was heard of the message, where the client knows it better than the clock."""
        self.begun = False
        self._owner = owner
        self._conversation = conversation
        self._emit = emit
        self._reply: Reply | None = None
        self._task: asyncio.Task[None] | None = None
        self._message: Item | None = None
        self._calls: list[_ToldCall] = []
        self._output: list[str] = []
        self._audible = False
        # A cancelled task may take one more step before it learns of it: what it says then is not heard.
        self._over = False

    @property
    def reply(self) -> Reply:
        """What is carried to the client."""
        assert self._reply is not None
        return self._reply

    def carry(self, reply: Reply, task: asyncio.Task[None]) -> None:
        """Takes the reply, and the task that runs it."""
        self._reply, self._task = reply, task

    def stop(self) -> None:
        """Stops the reply and frees its streams; nothing is heard of it any more."""
        assert self._task is not None
        self._over = True
        self._task.cancel()

    def begin(self) -> None:
        """Tells of the response, and lets the reply be heard."""
        self.begun = True
        request = self.reply.request
        self._emit(
            events.ReplyBegan(
                self.id,
                self.item_id,
                request.modality,
                request.voice,
                self.reply.config.max_output_tokens,
                request.metadata,
                request.audio_format,
                in_conversation=self._conversation is not None,
            )
        )
        self._tell_outcome()
        self.reply.release()

    def finish(self) -> None:
        """The reply was sent whole."""
        self._over = True
        outcome = self.reply.outcome
        status: ItemStatus = "incomplete" if outcome.cut_at_length else "completed"
        text = self.reply.sent_text if self.cut_to is None else self.cut_to
        message = self._end_message(text, status if self.cut_to is None else "incomplete", cut_off=False)
        self._tell_calls(outcome.calls)
        self._end_calls()
        self._done(events.ReplyDone(self.id, message, cut_at_length=outcome.cut_at_length))

    def cancel(self, reason: CancelReason, error: StageError | None, heard: str) -> None:
        """The reply is stopped; of its message `heard` is kept."""
        self.stop()
        if not self.begun:
            return
        if error is not None:
            self._emit(events.SessionError(error.reason.lower(), error.message, error.stage))
        message = self._end_message(heard if self.cut_to is None else self.cut_to, "incomplete", cut_off=True)
        self._end_calls()
        self._done(events.ReplyDone(self.id, message, cancelled=reason, error=error))

    # -- what the reply does -------------------------------------------------------------------------------------------

    def on_reply_ready(self) -> None:
        if not self._over:
            self._owner.on_ready(self)

    def on_reply_outcome(self) -> None:
        if self.begun and not self._over:
            self._tell_outcome()

    def on_reply_text(self, text: str) -> None:
        if not self._over:
            self._emit(events.ReplyText(self.id, self.item_id, text))

    def on_reply_audio(self, pcm: bytes, rate: int) -> None:
        if self._over:
            return
        if not self._audible:
            self._audible = True
            self._owner.on_audio_begins(self)
        self._emit(events.ReplyAudio(self.id, self.item_id, pcm, rate))

    def on_reply_ended(self) -> None:
        if not self._over:
            self._owner.on_ended(self)

    def on_reply_failed(self, error: StageError) -> None:
        if not self._over:
            self._owner.on_failed(self, error)

    # -- what the client is told ---------------------------------------------------------------------------------------

    def _tell_outcome(self) -> None:
        outcome = self.reply.outcome
        self._tell_calls(outcome.calls[: outcome.leading_calls])
        if outcome.has_text and self._message is None:
            spoken = self.reply.request.modality == "audio"
            self._message = Item(self.item_id, role=Role.ASSISTANT, spoken=spoken, status="in_progress")
            self._begin_output(self._message)

    def _tell_calls(self, calls: list[Call]) -> None:
        for index, call in enumerate(calls):
            if index == len(self._calls):
                item = Item(
                    new_id("item"), ItemKind.FUNCTION_CALL, Role.ASSISTANT, status="in_progress", name=call.name
                )
                self._calls.append(_ToldCall(replace(item, call_id=call.id)))
                self._begin_output(self._calls[index].item)
            self._go_on(self._calls[index], call)

    def _go_on(self, told: _ToldCall, call: Call) -> None:
        if told.told < len(call.arguments):
            delta = call.arguments[told.told :]
            told.told += len(delta)
            told.item = replace(told.item, arguments=call.arguments)
            self._emit(events.CallArguments(self.id, told.item.id, call.id, delta))
        if call.complete and not told.over:
            self._end_call(told, "completed")

    def _end_calls(self) -> None:
        """No call is left open: what is not over by now was cut off."""
        for told in self._calls:
            if not told.over:
                self._end_call(told, "incomplete")

    def _end_call(self, told: _ToldCall, status: ItemStatus) -> None:
        told.over = True
        told.item = replace(told.item, status=status)
        self._emit(events.OutputDone(self.id, told.item, self._update(told.item)))

    def _end_message(self, text: str, status: ItemStatus, *, cut_off: bool) -> Item:
        """The message as it is kept; without text where there is none."""
        spoken = self.reply.request.modality == "audio"
        message = Item(self.item_id, role=Role.ASSISTANT, text=text, spoken=spoken, status=status)
        if self._message is not None:
            self._message = message
            self._emit(events.OutputDone(self.id, message, self._update(message), cut_off))
        return message

    def _begin_output(self, item: Item) -> None:
        place = None
        if self._conversation is not None:
            place = events.Place(self._conversation.last_id)
            self._conversation.add(item)
        self._output.append(item.id)
        self._emit(events.OutputBegan(self.id, item, place))

    def _update(self, item: Item) -> events.Place | None:
        """Writes an item's end into the conversation; the client may have deleted it meanwhile."""
        if self._conversation is None or item.id not in self._conversation:
            return None
        self._conversation.update(item)
        return events.Place(self._conversation.before(item.id))

    def _done(self, done: events.ReplyDone) -> None:
        items = {told.item.id: told.item for told in self._calls} | {self.item_id: done.item}
        usage = self.reply.outcome.usage
        self._emit(
            replace(
                done,
                output=tuple(items[item_id] for item_id in self._output),
                usage=events.Usage(usage.input_tokens, usage.cached_tokens, usage.output_tokens),
                text=self.reply.sent_text,
            )
        )
