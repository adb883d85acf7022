"""The person's utterances of one session: their streams, and what the client is told of each."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from voxfleet.stt.v1 import stt_pb2

from chassis.audio import SAMPLE_RATE
from chassis.context import CallContext
from chassis.errors import Code, StageError
from services.orchestrator import events
from services.orchestrator import turn_events as turns
from services.orchestrator.clients import Stages
from services.orchestrator.conversation import Conversation, Item, Role
from services.orchestrator.ids import new_id
from services.orchestrator.marks import Mark, TurnMarks
from services.orchestrator.tape import Tape
from services.orchestrator.utterance import Listener, Utterance


@dataclass(slots=True)
class _Speech:
    """One utterance: its task, and the item that it becomes."""

    utterance: Utterance
    task: asyncio.Task[None]
    item_id: str
    start: int
    flush: int = 0
    announced: bool = False
    ended: bool = False
    failure: StageError | None = None


class Listening:
    """Opens, flushes and closes utterances as the turn machine says. `emit` tells the client.

    `marks` are those of the turn that is being spoken, `answerable` is the newest item that a reply may answer.
    """

    def __init__(
        self, stages: Stages, tape: Tape, conversation: Conversation, emit: Callable[[events.Event], None]
    ) -> None:
        self.marks = TurnMarks()
        self.answerable = ""
        self._stages = stages
        self._tape = tape
        self._conversation = conversation
        self._emit = emit
        self._speech: dict[int, _Speech] = {}

    # -- what the turn machine says ------------------------------------------------------------------------------------

    def open(
        self,
        number: int,
        start: int,
        listener: Listener,
        config: Callable[[], stt_pb2.TranscribeConfig],
        context: CallContext,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """Transcribes the tape from `start` on, for `listener`."""
        utterance = Utterance(number, start, self._tape, listener)
        task = tasks.create_task(utterance.run(self._stages, context.for_turn(new_id("utt")), config))
        self._speech[number] = _Speech(utterance, task, new_id("item"), start)

    def flush(self, number: int, flush: int, end: int, now: float) -> None:
        """Asks for the text up to `end`."""
        self.marks = TurnMarks()
        self.marks.set(Mark.FLUSH, now)
        speech = self._speech[number]
        speech.flush = flush
        speech.utterance.flush(flush, end)

    def go_on(self, number: int) -> None:
        """Speech goes on after a flush."""
        self._speech[number].utterance.resume()

    def close(self, number: int) -> None:
        """Frees an utterance. Where it failed before the client knew of it, the client is told now."""
        speech = self._speech.pop(number)
        speech.task.cancel()
        if speech.failure is not None and not speech.announced:
            self._emit(events.SessionError(speech.failure.reason.lower(), speech.failure.message, speech.failure.stage))

    def announce(self, number: int, offset: int) -> None:
        """The client may know of the utterance."""
        speech = self._speech[number]
        speech.announced = True
        self._emit(events.SpeechBegan(speech.item_id, milliseconds(offset)))

    def end_turn(self, number: int, end: int, now: float) -> None:
        """The turn is over."""
        self.marks.set(Mark.ENDPOINT, now)
        self._end(self._speech[number], end)

    def commit(self, action: turns.CommitUser) -> None:
        """The turn joins the conversation."""
        speech = self._speech[action.utterance]
        if not speech.announced:
            return
        self._end(speech, action.end)
        self.marks.last_speech = self._tape.received_at(action.end)
        item = Item(speech.item_id, role=Role.USER, text=action.text, spoken=True, language=action.language)
        if action.text:
            self.answerable = item.id
        self._add(item, max(0, action.end - speech.start), speech.failure)

    def commit_silence(self, samples: int) -> None:
        """Nobody has said anything for the last `samples`: that is a turn, too."""
        item = Item(new_id("item"), role=Role.USER, spoken=True)
        start = max(0, self._tape.end - samples)
        self._emit(events.IdleTimeout(item.id, milliseconds(start), milliseconds(self._tape.end)))
        self._add(item, self._tape.end - start)

    # -- what the utterances say ---------------------------------------------------------------------------------------

    def tell_partial(self, number: int, stable: str, unstable: str) -> None:
        """Tells of what was understood so far, where the client knows of the utterance."""
        speech = self._speech[number]
        if speech.announced:
            self._emit(events.PartialTranscript(speech.item_id, stable, unstable))

    def take_text(self, number: int, flush: int, now: float) -> None:
        """The text of a flush is there."""
        if flush == self._speech[number].flush:
            self.marks.set(Mark.TRANSCRIPT, now)

    def fail(self, number: int, failure: StageError) -> None:
        """The utterance cannot be transcribed; the client is told when it is committed or closed."""
        self._speech[number].failure = failure

    def fail_late(self, number: int, limit_s: float) -> None:
        """Its text did not come within `limit_s` seconds."""
        message = f"what was said could not be transcribed within {limit_s:g} s"
        self.fail(number, StageError(Code.DEADLINE_EXCEEDED, "TRANSCRIPTION_TIMEOUT", message, stage="stt"))

    def _end(self, speech: _Speech, end: int) -> None:
        if speech.announced and not speech.ended:
            speech.ended = True
            self._emit(events.SpeechEnded(speech.item_id, milliseconds(end)))

    def _add(self, item: Item, samples: int, failure: StageError | None = None) -> None:
        previous = self._conversation.last_id
        self._conversation.add(item)
        self._emit(events.UserTurn(item, previous, round(samples / SAMPLE_RATE, 2), failure))


def milliseconds(offset: int) -> int:
    """An offset on the session's timeline as the client is told it."""
    return offset * 1000 // SAMPLE_RATE
