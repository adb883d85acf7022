"""The turn machine: who has the floor. Pure: events and `now` in, actions out.

Two small states side by side. The *ear* follows the person, the *mouth* follows the reply:

    ear    QUIET ──speech──► SPEECH ──stopped──► PAUSE ──silence──► (text known?) ──► commit ──► QUIET
                               ▲                  │  │                    └─ no ──► ENDING ──text──┘
                               └────speech────────┘  └─ flush, draft
    mouth  SILENT ──text of a pause──► DRAFTING ──commit──► SPEAKING ──all sent──► SILENT
                                                              │  ▲
                                                       speech ▼  │ nothing was said
                                                             PAUSED ──something was said──► SILENT

Invariants, which the tests prove: at most one reply at a time; a reply is released only after the turn it answers was
committed; a draft is begun only where there is room for one, and the reply at the commit otherwise; every utterance and
every reply that was started is ended exactly once; while anything is awaited there is a `wake_at`, so silence for good
is impossible.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from chassis.audio import SAMPLE_RATE
from services.orchestrator.interruption import is_interruption
from services.orchestrator.turn_config import TurnConfig
from services.orchestrator.turn_events import (
    Action,
    AnnounceIdle,
    AnnounceSpeech,
    AudioAdvanced,
    CallOffReply,
    CancelReason,
    CancelReply,
    CancelResponse,
    Clear,
    CloseUtterance,
    Commit,
    CommitUser,
    ContinueUtterance,
    CreateResponse,
    DraftReady,
    EndTurn,
    Event,
    FinishReply,
    FlushUtterance,
    GiveUpText,
    Hypothesis,
    OpenUtterance,
    PauseReply,
    ReleaseReply,
    ReplyEnded,
    ReplyFailed,
    ReportError,
    ResumeReply,
    SkipDraft,
    SpeechStarted,
    SpeechStopped,
    StartReply,
    Transcript,
    TranscriptionFailed,
    Wake,
)

# Silence is counted in samples. Where the client stops sending, the clock decides this much later, so that jitter of
# the network does not end turns.
CLOCK_GRACE_S = 0.15
# Speech that lasts this long during a reply takes the floor even before any text of it is known.
CONFIRM_S = 1.2


Do = Callable[[Action], None]


class Ear(Enum):
    """What the person is doing."""

    QUIET = auto()
    SPEECH = auto()
    PAUSE = auto()
    ENDING = auto()


class Mouth(Enum):
    """What the reply is doing."""

    SILENT = auto()
    DRAFTING = auto()
    SPEAKING = auto()
    PAUSED = auto()


@dataclass(slots=True)
class _Utterance:
    number: int
    start: int
    announced: bool = False
    flush: int = 0
    end: int = 0
    probability: float | None = None
    silent_since: float = 0.0
    needed_s: float = 0.0
    deadline_offset: int = 0
    deadline: float = 0.0
    text: str | None = None
    language: str = ""


class TurnMachine:
    """One session's turn-taking. Call `handle` with each event, do the actions in order, come back at `wake_at`."""

    def __init__(self, config: TurnConfig) -> None:
        self.config = config
        self.ear = Ear.QUIET
        self.mouth = Mouth.SILENT
        self._utterance = _Utterance(0, 0)
        self._utterances = 0
        self._turn = 0
        self._received = 0
        self._draft_ready = False
        self._buffer_start = 0
        self._confirm_at = 0.0
        self._idle_since: float | None = None
        self._reply_wanted = False
        self._deferred: list[SpeechStarted | SpeechStopped] = []

    @property
    def owes_reply(self) -> bool:
        """A reply was asked for that can only begin later."""
        return self._reply_wanted

    @property
    def wake_at(self) -> float | None:
        """When to send Wake at the latest, on the clock of `now`; None while only events can change anything."""
        times = []
        if self.ear in (Ear.PAUSE, Ear.ENDING):
            times.append(self._utterance.deadline)
        if self.mouth is Mouth.PAUSED and self.ear is Ear.SPEECH:
            times.append(self._confirm_at)
        if self._is_idle() and self._idle_since is not None and self.config.idle_timeout_s is not None:
            times.append(self._idle_since + self.config.idle_timeout_s)
        return min(times, default=None)

    def handle(self, event: Event, now: float) -> list[Action]:
        """Takes one event at time `now` (seconds, monotonic) and says what to do."""
        actions: list[Action] = []
        do = actions.append
        match event:
            case AudioAdvanced(offset):
                self._on_audio(offset, now, do)
            case SpeechStarted() | SpeechStopped() if self.config.detection:
                self._on_speech(event, now, do)
            case Hypothesis(utterance, text, spoken):
                if self._is_current(utterance) and self.mouth is Mouth.PAUSED and is_interruption(text, spoken):
                    self._interrupt(do)
            case Transcript():
                self._on_transcript(event, now, do)
            case DraftReady(turn) if turn == self._turn and self.mouth is Mouth.DRAFTING:
                self._draft_ready = True
                self._set_deadline(now, do)
            case TranscriptionFailed(utterance):
                if self._is_current(utterance):
                    self._abandon_utterance(do)
            case ReplyEnded(turn) if turn == self._turn and self.mouth is Mouth.SPEAKING:
                do(FinishReply(turn))
                self._idle_since = now
                self._fall_silent(do)
            case ReplyFailed(turn, error) if turn == self._turn and self.mouth is not Mouth.SILENT:
                if self.mouth is Mouth.PAUSED:
                    self._announce(do)
                do(CancelReply(turn, CancelReason.FAILED, error))
                self._fall_silent(do)
                self._set_deadline(now, do)
            case Commit(offset):
                self._on_commit(offset, now, do)
            case Clear(offset):
                self._buffer_start = offset
                if self.ear is not Ear.QUIET:
                    self._abandon_utterance(do)
            case CreateResponse():
                self._on_create_response(do)
            case CancelResponse():
                self._on_cancel_response(do)
            case Wake():
                self._on_wake(now, do)
            case _:
                pass  # a late word from a turn or an utterance that is over
        self._replay_deferred(now, do)
        if not self._is_idle():
            self._idle_since = None
        return actions

    def reconfigure(self, config: TurnConfig) -> list[Action]:
        """Takes turns as `config` says from now on. Switching detection on or off drops what is being said."""
        actions: list[Action] = []
        if config.detection != self.config.detection and self.ear is not Ear.QUIET:
            self._abandon_utterance(actions.append)
        self.config = config
        return actions

    # -- the person ----------------------------------------------------------------------------------------------------

    def _on_audio(self, offset: int, now: float, do: Do) -> None:
        self._received = offset
        if self.ear is Ear.PAUSE:
            self._end_after_silence(now, do)
        elif self.ear is Ear.QUIET and not self.config.detection and offset > self._buffer_start:
            self._open(self._buffer_start, do)
            self.ear = Ear.SPEECH

    def _on_speech(self, event: SpeechStarted | SpeechStopped, now: float, do: Do) -> None:
        match event, self.ear:
            case SpeechStarted(offset), Ear.QUIET:
                self._open(max(self._buffer_start, offset - int(self.config.prefix_s * SAMPLE_RATE)), do)
                self.ear = Ear.SPEECH
                if self.mouth is Mouth.SPEAKING and self.config.interrupt_response:
                    self.mouth = Mouth.PAUSED
                    self._confirm_at = now + CONFIRM_S
                    do(PauseReply(self._turn))
                else:
                    self._announce(do)
            case SpeechStarted(), Ear.PAUSE:
                if self.mouth is Mouth.DRAFTING:
                    self._cancel(CancelReason.DRAFT_DISCARDED, do)
                do(ContinueUtterance(self._utterance.number))
                self.ear = Ear.SPEECH
                self._confirm_at = now + CONFIRM_S
            case SpeechStopped(offset, decided_offset, probability), Ear.SPEECH:
                self._utterance.probability = probability
                self._utterance.silent_since = now - (decided_offset - offset) / SAMPLE_RATE
                self._flush(offset, decided_offset, do)
                self._received = max(self._received, decided_offset)
                self.ear = Ear.PAUSE
                self._await_silence("", now, do)
            case _, Ear.ENDING:
                # Belongs to the turn after the one whose text is still awaited.
                self._deferred.append(event)
            case _:
                pass  # half an utterance that a clear or a failure took away

    def _on_transcript(self, event: Transcript, now: float, do: Do) -> None:
        utterance = self._utterance
        late = event.flush != utterance.flush or utterance.text is not None or self.ear is Ear.SPEECH
        if late or not self._is_current(event.utterance):
            return
        utterance.text, utterance.language = event.text, event.language
        if self.mouth is Mouth.PAUSED:
            if not is_interruption(event.text, event.spoken):
                self._abandon_utterance(do)
                return
            self._interrupt(do)
        if self.ear is Ear.ENDING:
            self._commit(do)
        elif self.config.drafts and self.config.create_response and event.text and self.mouth is Mouth.SILENT:
            if event.may_draft:
                self._start_reply(event.text, event.language, do)
                self.mouth = Mouth.DRAFTING
                self._draft_ready = False
            else:
                do(SkipDraft(utterance.number))
        if self.ear is Ear.PAUSE and self.config.detection:
            self._await_silence(event.text, now, do)

    def _on_commit(self, offset: int, now: float, do: Do) -> None:
        if self.ear is Ear.QUIET:
            if offset <= self._buffer_start:
                do(ReportError("input_audio_buffer_commit_empty", "the input audio buffer is empty: nothing to commit"))
                return
            self._open(self._buffer_start, do)
        if self.mouth is Mouth.PAUSED:
            self._interrupt(do)
        self._announce(do)
        if self.ear in (Ear.QUIET, Ear.SPEECH):
            self._flush(offset, offset, do)
            self.ear = Ear.PAUSE
        self._utterance.end = offset
        if self.ear is Ear.PAUSE:
            self._end_turn(now, do)

    def _await_silence(self, text: str, now: float, do: Do) -> None:
        """Sets how long the silence must be, after what was said."""
        self._utterance.needed_s = self.config.endpointing.needed_silence_s(self._utterance.probability, text)
        self._set_deadline(now, do)

    def _set_deadline(self, now: float, do: Do) -> None:
        """Sets when the silence will be long enough; ends the turn where it is already."""
        if self.ear is not Ear.PAUSE:
            return
        utterance, needed_s = self._utterance, self._utterance.needed_s
        if self.mouth is Mouth.DRAFTING and not self._draft_ready:
            needed_s = max(needed_s, self.config.endpointing.draft_patience_s)
        utterance.deadline_offset = utterance.end + int(needed_s * SAMPLE_RATE)
        utterance.deadline = utterance.silent_since + needed_s + CLOCK_GRACE_S
        self._end_after_silence(now, do)

    def _end_after_silence(self, now: float, do: Do) -> None:
        if self._received >= self._utterance.deadline_offset:
            self._end_turn(now, do)

    def _end_turn(self, now: float, do: Do) -> None:
        do(EndTurn(self._utterance.number, self._utterance.end))
        if self._utterance.text is not None:
            self._commit(do)
        else:
            self.ear = Ear.ENDING
            self._utterance.deadline = now + self.config.transcript_timeout_s

    def _commit(self, do: Do) -> None:
        utterance = self._utterance
        text = utterance.text or ""
        wanted = bool(text) and self.config.create_response and self.config.detection
        draft = self.mouth is Mouth.DRAFTING
        if wanted and self.mouth is Mouth.SILENT:
            self._start_reply(text, utterance.language, do)
        do(CommitUser(utterance.number, text, utterance.language, utterance.end))
        do(CloseUtterance(utterance.number))
        self.ear = Ear.QUIET
        self._buffer_start = utterance.end
        if not wanted:
            if draft:
                self._cancel(CancelReason.DRAFT_DISCARDED, do)
            if self.mouth is Mouth.SILENT:
                self._fall_silent(do)
        elif self.mouth in (Mouth.SILENT, Mouth.DRAFTING):
            do(ReleaseReply(self._turn, draft))
            self.mouth = Mouth.SPEAKING
            self._reply_wanted = False
        else:
            self._reply_wanted = True  # the reply that goes on may not be interrupted; the answer comes after it

    def _abandon_utterance(self, do: Do) -> None:
        """Nothing was said, or it cannot be known: forget the utterance and let a paused reply go on."""
        if self.mouth is Mouth.DRAFTING:
            self._cancel(CancelReason.DRAFT_DISCARDED, do)
        if self._utterance.announced:
            do(CommitUser(self._utterance.number, "", "", self._utterance.end))
        do(CloseUtterance(self._utterance.number))
        self.ear = Ear.QUIET
        self._buffer_start = max(self._buffer_start, self._utterance.end)
        if self.mouth is Mouth.PAUSED:
            do(ResumeReply(self._turn))
            self.mouth = Mouth.SPEAKING
        elif self.mouth is Mouth.SILENT:
            self._fall_silent(do)

    def _open(self, start: int, do: Do) -> None:
        self._utterances += 1
        self._utterance = _Utterance(self._utterances, start, end=start)
        do(OpenUtterance(self._utterances, start))

    def _announce(self, do: Do) -> None:
        if not self._utterance.announced:
            self._utterance.announced = True
            do(AnnounceSpeech(self._utterance.number, self._utterance.start))

    def _flush(self, speech_end: int, audio_end: int, do: Do) -> None:
        self._utterance.flush += 1
        self._utterance.end = speech_end
        self._utterance.text = None
        do(FlushUtterance(self._utterance.number, self._utterance.flush, audio_end))

    def _is_current(self, utterance: int) -> bool:
        return self.ear is not Ear.QUIET and utterance == self._utterance.number

    def _replay_deferred(self, now: float, do: Do) -> None:
        while self._deferred and self.ear is not Ear.ENDING:
            self._on_speech(self._deferred.pop(0), now, do)

    # -- the reply -----------------------------------------------------------------------------------------------------

    def _on_create_response(self, do: Do) -> None:
        if self.mouth in (Mouth.SPEAKING, Mouth.PAUSED):
            do(
                ReportError(
                    "conversation_already_has_active_response", "a response is active: cancel it or wait for its end"
                )
            )
            return
        if self.ear is Ear.ENDING:
            self._reply_wanted = True  # what was said, and is still being written down, belongs to the question
            return
        if self.mouth is Mouth.DRAFTING:
            self._cancel(CancelReason.DRAFT_DISCARDED, do)
        self._reply_to_conversation(do)

    def _on_cancel_response(self, do: Do) -> None:
        if self.mouth in (Mouth.SILENT, Mouth.DRAFTING):
            if self._reply_wanted:
                self._reply_wanted = False
                do(CallOffReply())
            else:
                do(ReportError("response_cancel_not_active", "no response is active: nothing to cancel"))
            return
        if self.mouth is Mouth.PAUSED:
            self._announce(do)
        self._cancel(CancelReason.CLIENT, do)
        self._fall_silent(do)

    def _on_wake(self, now: float, do: Do) -> None:
        if self.ear is Ear.PAUSE and now >= self._utterance.deadline:
            self._end_turn(now, do)
        elif self.ear is Ear.ENDING and now >= self._utterance.deadline:
            do(GiveUpText(self._utterance.number))
            self._abandon_utterance(do)
        if self.mouth is Mouth.PAUSED and self.ear is Ear.SPEECH and now >= self._confirm_at:
            self._interrupt(do)
        idle_s = self.config.idle_timeout_s
        if self._is_idle() and idle_s is not None and self._idle_since is not None and now >= self._idle_since + idle_s:
            self._idle_since = None
            do(AnnounceIdle())
            self._reply_to_conversation(do)

    def _start_reply(self, text: str, language: str, do: Do) -> None:
        self._turn += 1
        do(StartReply(self._turn, text, language))

    def _reply_to_conversation(self, do: Do) -> None:
        self._start_reply("", "", do)
        do(ReleaseReply(self._turn, draft=False))
        self.mouth = Mouth.SPEAKING

    def _interrupt(self, do: Do) -> None:
        # In this order, as OpenAI's servers have it: who plays the reply falls silent at the first of the two.
        self._announce(do)
        self._cancel(CancelReason.INTERRUPTED, do)

    def _cancel(self, reason: CancelReason, do: Do) -> None:
        do(CancelReply(self._turn, reason))
        self.mouth = Mouth.SILENT

    def _fall_silent(self, do: Do) -> None:
        self.mouth = Mouth.SILENT
        if self._reply_wanted:
            self._reply_wanted = False
            self._reply_to_conversation(do)

    def _is_idle(self) -> bool:
        return self.ear is Ear.QUIET and self.mouth is Mouth.SILENT
