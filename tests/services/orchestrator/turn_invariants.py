"""What must hold for every sequence of events, in one place. The property tests and the model checker both use it."""

from dataclasses import dataclass, field

from services.orchestrator.turn import Ear, Mouth, TurnMachine
from services.orchestrator.turn_events import (
    Action,
    CancelReply,
    CloseUtterance,
    CommitUser,
    ContinueUtterance,
    Event,
    FinishReply,
    FlushUtterance,
    OpenUtterance,
    PauseReply,
    ReleaseReply,
    ReplyEnded,
    ResumeReply,
    SkipDraft,
    SpeechStopped,
    StartReply,
    Transcript,
    Wake,
)


@dataclass(slots=True)
class Ledger:
    """Follows the actions as a session would, and asserts that they make sense."""

    utterance: int | None = None
    reply: int | None = None
    reply_text: str = ""
    released: bool = False
    paused: bool = False
    committed: list[str] = field(default_factory=list)
    skipped: int | None = None
    """The utterance whose draft was skipped last."""
    opened: int = 0
    closed: int = 0
    started: int = 0
    ended: int = 0

    def apply(self, action: Action) -> None:
        match action:
            case OpenUtterance(number):
                assert self.utterance is None, "one utterance at a time"
                self.utterance, self.opened = number, self.opened + 1
            case FlushUtterance(number) | ContinueUtterance(number):
                assert number == self.utterance, "only the open utterance is flushed or continued"
            case CommitUser(number, text):
                assert number == self.utterance, "only the open utterance is committed"
                self.committed.append(text)
            case CloseUtterance(number):
                assert number == self.utterance, "an utterance is closed once"
                self.utterance, self.closed = None, self.closed + 1
            case StartReply(turn, text):
                assert self.reply is None, "one reply at a time"
                self.reply, self.reply_text, self.started = turn, text, self.started + 1
                self.released = self.paused = False
            case SkipDraft(number):
                assert number == self.utterance, "only the draft of the open utterance is skipped"
                assert self.reply is None, "a draft is skipped only where none runs"
                self.skipped = number
            case ReleaseReply(turn):
                assert turn == self.reply, "only the prepared reply is released"
                assert not self.released, "a reply is released once"
                if self.reply_text:
                    assert self.committed[-1:] == [self.reply_text], (
                        "a reply is released after the turn that it answers"
                    )
                self.released = True
            case PauseReply(turn):
                assert turn == self.reply, "only the reply that is heard is paused"
                assert self.released, "a draft cannot be paused"
                assert not self.paused, "a reply is paused once"
                self.paused = True
            case ResumeReply(turn):
                assert turn == self.reply, "only the paused reply is resumed"
                assert self.paused, "only the paused reply is resumed"
                self.paused = False
            case FinishReply(turn):
                assert turn == self.reply, "only the reply that is heard is finished"
                assert self.released, "a draft cannot be finished"
                assert not self.paused, "a paused reply is not finished"
                self.reply, self.ended = None, self.ended + 1
            case CancelReply(turn):
                assert turn == self.reply, "a reply is ended once"
                self.reply, self.ended = None, self.ended + 1
            case _:
                pass

    def check(self, machine: TurnMachine) -> None:
        """Between events: the machine and the world agree, and nothing is awaited without a limit."""
        assert (machine.ear is Ear.QUIET) == (self.utterance is None), "an open utterance is listened to"
        assert (machine.mouth is Mouth.SILENT) == (self.reply is None), "a live reply has the mouth"
        assert (machine.mouth is Mouth.DRAFTING) == (self.reply is not None and not self.released), "a draft is a draft"
        assert (machine.mouth is Mouth.PAUSED) == (self.reply is not None and self.paused), "a pause is a pause"
        if machine.mouth is Mouth.PAUSED:
            assert machine.ear is not Ear.QUIET, "a reply is paused only while somebody may be speaking"
        if machine.owes_reply:
            idle = machine.ear is Ear.QUIET and machine.mouth is Mouth.SILENT
            assert not idle, "a reply is owed only while something else has to end first"
        if machine.ear in (Ear.PAUSE, Ear.ENDING) or machine.mouth is Mouth.PAUSED:
            assert machine.wake_at is not None, "what is awaited has a limit"


def step(machine: TurnMachine, ledger: Ledger, event: Event, now: float) -> list[Action]:
    """One event, with every check."""
    drafting = machine.mouth is Mouth.DRAFTING
    actions = machine.handle(event, now)
    for action in actions:
        ledger.apply(action)
    ledger.check(machine)
    if machine.mouth is Mouth.DRAFTING and not drafting:
        assert isinstance(event, Transcript), "a draft is begun with a text"
        assert event.may_draft, "a draft is begun only where there is room for it"
    wanted = machine.config.create_response and machine.config.detection
    for action in actions:
        if isinstance(action, SkipDraft):
            assert isinstance(event, Transcript), "a draft is skipped with a text"
            assert not event.may_draft, "a draft is skipped only where there is no room for it"
        if isinstance(action, CommitUser) and action.text and action.utterance == ledger.skipped and wanted:
            assert ledger.reply is not None, "a reply that was not drafted begins at the commit"
            assert ledger.released, "a reply that was not drafted begins at the commit"
    return actions


def settle(machine: TurnMachine, ledger: Ledger, now: float, offset: int) -> None:
    """The person stops speaking, stages answer nothing, replies end: the floor must become free."""
    for _ in range(50):
        if machine.ear is Ear.QUIET and machine.mouth is Mouth.SILENT:
            assert ledger.opened == ledger.closed, "every utterance is ended"
            assert ledger.started == ledger.ended, "every reply is ended"
            return
        if machine.ear is Ear.SPEECH and machine.config.detection:
            step(machine, ledger, SpeechStopped(offset, offset + 3_200, None), now)
        elif machine.mouth is Mouth.SPEAKING and ledger.reply is not None:
            step(machine, ledger, ReplyEnded(ledger.reply), now)
        else:
            assert machine.wake_at is not None, "silent for good"
            now = max(now, machine.wake_at)
            step(machine, ledger, Wake(), now)
    raise AssertionError("the floor never becomes free")
