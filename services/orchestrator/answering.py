"""What replies a session is asked for, by its turns and by its client: configured, kept waiting, begun, called off."""

import asyncio
from collections.abc import Callable

from chassis.context import CallContext
from services.orchestrator import events
from services.orchestrator import turn_events as turns
from services.orchestrator.clients import Stages
from services.orchestrator.conversation import Conversation
from services.orchestrator.ids import new_id
from services.orchestrator.marks import TurnMarks
from services.orchestrator.out_of_band import MAX_AT_ONCE, OutOfBand
from services.orchestrator.recordings import Recordings
from services.orchestrator.replies import Replies
from services.orchestrator.session_config import ReplyOverrides, SessionConfig, chat_config
from services.orchestrator.turn import Mouth, TurnMachine

_ACTIVE = "conversation_already_has_active_response"
_NOT_ACTIVE = "response_cancel_not_active"


class Answering:
    """`config` is the session's, read anew for each reply; `ask` gives an event of the client's to the turn machine.

    `language` is the one spoken last. `cause`, wherever it is taken, is the client's name of a request, told back in
    errors. Runs its tasks in `tasks`, which is there once the session runs.
    """

    def __init__(
        self,
        stages: Stages,
        context: CallContext,
        config: Callable[[], SessionConfig],
        conversation: Conversation,
        machine: TurnMachine,
        replies: Replies,
        out_of_band: OutOfBand,
        recordings: Recordings,
        emit: Callable[[events.Event], None],
        ask: Callable[[turns.Event, str | None], None],
    ) -> None:
        self.language = config().language
        self.tasks: asyncio.TaskGroup | None = None
        self._stages = stages
        self._context = context
        self._config = config
        self._conversation = conversation
        self._machine = machine
        self._replies = replies
        self._out_of_band = out_of_band
        self._recordings = recordings
        self._emit = emit
        self._ask = ask
        self._overrides = ReplyOverrides()
        self._waiting: dict[asyncio.Task[None], ReplyOverrides] = {}

    # -- what the turn machine says ------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Warms the language model while the person speaks; not beside a reply whose end the history must know, nor
        where others need the room for their answers."""
        assert self.tasks is not None
        wanted = self._config().turn.create_response and self._machine.mouth is Mouth.SILENT
        if wanted and self._stages.has_room("llm"):
            config = chat_config(self._config(), ReplyOverrides(), self._conversation.messages())
            self._replies.prepare(config, self._context.for_turn(new_id("turn")), self.tasks)

    def may_draft(self) -> bool:
        """Whether the stages have room for a reply that may turn out needless."""
        spoken = self._config().modality == "audio"
        return self._stages.has_room("llm") and (not spoken or self._stages.has_room("tts"))

    def start(self, turn: int, text: str, language: str, marks: TurnMarks) -> None:
        """Starts the reply of `turn` to `text`, or to the conversation alone; `marks` are those of the turn spoken."""
        assert self.tasks is not None
        self.language = language or self.language
        overrides, self._overrides = self._overrides, ReplyOverrides()
        config = chat_config(self._config(), overrides, overrides.history(self._conversation))
        request = overrides.request(self._config(), turn, text, self.language)
        # A reply to the conversation alone is no part of the turn that somebody may be speaking.
        marks = marks if text else TurnMarks()
        self._replies.start(request, config, marks, self._context.for_turn(new_id("turn")), self.tasks)

    def call_off(self) -> None:
        """The reply that is owed will not begin."""
        overrides, self._overrides = self._overrides, ReplyOverrides()
        self._tell_called_off(overrides)

    # -- what the client asks ------------------------------------------------------------------------------------------

    def create(self, overrides: ReplyOverrides, cause: str | None) -> None:
        """Begins a reply, once all recordings that were added before are understood."""
        assert self.tasks is not None
        waiting = [other for other in self._waiting.values() if other.in_conversation == overrides.in_conversation]
        if not overrides.in_conversation and len(self._out_of_band) + len(waiting) >= MAX_AT_ONCE:
            message = f"{MAX_AT_ONCE} responses are active beside the conversation: cancel one or wait for its end"
            self._emit(events.SessionError("too_many_responses", message, cause=cause))
        elif not self._recordings.pending:
            self._begin(overrides, cause)
        elif overrides.in_conversation and waiting:
            message = (
                "a response is active: it waits for what was said to be transcribed; cancel it or wait for its end"
            )
            self._emit(events.SessionError(_ACTIVE, message, cause=cause))
        else:
            task = self.tasks.create_task(self._begin_later(overrides, cause))
            self._waiting[task] = overrides
            task.add_done_callback(self._waiting.pop)

    def cancel(self, response_id: str | None, cause: str | None) -> None:
        """Stops a reply: the one of that id, or that of the conversation."""
        if response_id is None and self._machine.mouth in (Mouth.SILENT, Mouth.DRAFTING) and self._stop_waiting():
            return
        if response_id is None or self._replies.is_active(response_id):
            self._ask(turns.CancelResponse(), cause)
        elif not self._out_of_band.cancel(response_id):
            message = f"response_id: expected the id of an active response, got {response_id!r}"
            self._emit(events.SessionError(_NOT_ACTIVE, message, cause=cause, param="response_id"))

    def _stop_waiting(self) -> bool:
        """Gives up the reply of the conversation that waits for recordings; False where none does."""
        for task, overrides in self._waiting.items():
            if overrides.in_conversation:
                task.cancel()
                self._tell_called_off(overrides)
                return True
        return False

    def _tell_called_off(self, overrides: ReplyOverrides) -> None:
        limit = chat_config(self._config(), overrides, []).max_output_tokens
        self._replies.tell_cancelled(overrides.request(self._config(), 0, "", self.language), limit)

    async def _begin_later(self, overrides: ReplyOverrides, cause: str | None) -> None:
        await self._recordings.settled()
        self._begin(overrides, cause)

    def _begin(self, overrides: ReplyOverrides, cause: str | None) -> None:
        assert self.tasks is not None
        if not overrides.in_conversation:
            config = chat_config(self._config(), overrides, overrides.history(self._conversation))
            request = overrides.request(self._config(), 0, "", self.language)
            self._out_of_band.start(request, config, self._context.for_turn(new_id("turn")), self.tasks)
            return
        self._overrides = overrides
        self._ask(turns.CreateResponse(), cause)
        if not self._machine.owes_reply:
            self._overrides = ReplyOverrides()
