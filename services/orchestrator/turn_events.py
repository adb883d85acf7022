"""What the turn machine is told and what it answers. Offsets are samples on the session's 16 kHz timeline."""

from dataclasses import dataclass
from enum import Enum

from chassis.errors import StageError


class CancelReason(Enum):
    """Why a reply was stopped."""

    INTERRUPTED = "turn_detected"
    CLIENT = "client_cancelled"
    DRAFT_DISCARDED = "draft_discarded"
    FAILED = "failed"


# -- events in ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The VAD heard speech begin at `offset`."""

    offset: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The VAD heard speech end at `offset`, and knew it at `decided_offset`. `probability` that the turn is over."""

    offset: int
    decided_offset: int
    probability: float | None


@dataclass(frozen=True, slots=True)
class AudioAdvanced:
    """Audio up to `offset` has been received."""

    offset: int


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Partial text of `utterance`. `spoken` is what the loudspeaker said meanwhile."""

    utterance: int
    text: str
    spoken: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """The answer to flush number `flush` of `utterance`. `spoken` is what the loudspeaker said meanwhile, `may_draft`
    whether the stages have room for a reply that may turn out needless."""

    utterance: int
    flush: int
    text: str
    language: str
    spoken: str = ""
    may_draft: bool = True


@dataclass(frozen=True, slots=True)
class TranscriptionFailed:
    """The speech-to-text stage could not transcribe `utterance`."""

    utterance: int


@dataclass(frozen=True, slots=True)
class DraftReady:
    """The reply of `turn` could begin to be heard (or read) at once, were it released."""

    turn: int


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """All audio (or text) of the reply of `turn` has been sent."""

    turn: int


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The reply of `turn` could not be finished because of `error`."""

    turn: int
    error: StageError


@dataclass(frozen=True, slots=True)
class Commit:
    """The client says that the turn ends with the audio up to `offset`."""

    offset: int


@dataclass(frozen=True, slots=True)
class Clear:
    """The client throws away the audio up to `offset` that is not committed."""

    offset: int


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """The client asks for a reply to the conversation as it stands."""


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """The client stops the reply."""


@dataclass(frozen=True, slots=True)
class Wake:
    """The time `wake_at` has come."""


Event = (
    SpeechStarted
    | SpeechStopped
    | AudioAdvanced
    | Hypothesis
    | Transcript
    | TranscriptionFailed
    | DraftReady
    | ReplyEnded
    | ReplyFailed
    | Commit
    | Clear
    | CreateResponse
    | CancelResponse
    | Wake
)

# -- actions out -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenUtterance:
    """Transcribe audio from `start` on."""

    utterance: int
    start: int


@dataclass(frozen=True, slots=True)
class FlushUtterance:
    """Transcribe what there is up to `end`, send nothing after it, and answer with Transcript number `flush`."""

    utterance: int
    flush: int
    end: int


@dataclass(frozen=True, slots=True)
class ContinueUtterance:
    """Speech goes on: send the audio after the last flush as well."""

    utterance: int


@dataclass(frozen=True, slots=True)
class CloseUtterance:
    """The utterance is over; free its stream."""

    utterance: int


@dataclass(frozen=True, slots=True)
class AnnounceSpeech:
    """Tell the client that the person's turn began at `offset`."""

    utterance: int
    offset: int


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The person's turn is over; its speech ended at `end`. Its text may still be awaited."""

    utterance: int
    end: int


@dataclass(frozen=True, slots=True)
class CommitUser:
    """The `text` of the turn, spoken up to `end`, joins the conversation. Empty: only tell the client."""

    utterance: int
    text: str
    language: str
    end: int


@dataclass(frozen=True, slots=True)
class StartReply:
    """Prepare the reply of `turn` to `text` (empty: to the conversation alone). Nothing of it may leave yet."""

    turn: int
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class SkipDraft:
    """The reply to `utterance` would have been begun here, had there been room for it. It is begun at its commit."""

    utterance: int


@dataclass(frozen=True, slots=True)
class ReleaseReply:
    """The reply of `turn` may be heard. `draft` says whether it was prepared before the turn was known to be over."""

    turn: int
    draft: bool


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Stop the reply of `turn` and free its streams; the conversation keeps what was heard of it.

    `error` says what failed, where the reason is that.
    """

    turn: int
    reason: CancelReason
    error: StageError | None = None


@dataclass(frozen=True, slots=True)
class CallOffReply:
    """The reply that the client asked for, and that could only begin later, is not wanted any more."""


@dataclass(frozen=True, slots=True)
class FinishReply:
    """The reply of `turn` was heard whole; it joins the conversation."""

    turn: int


@dataclass(frozen=True, slots=True)
class PauseReply:
    """Stop sending audio of `turn` until it is resumed or cancelled."""

    turn: int


@dataclass(frozen=True, slots=True)
class ResumeReply:
    """Go on with the audio of `turn` where it stopped."""

    turn: int


@dataclass(frozen=True, slots=True)
class GiveUpText:
    """The text of `utterance` did not come in time: it is taken for failed."""

    utterance: int


@dataclass(frozen=True, slots=True)
class AnnounceIdle:
    """Nobody has spoken for the idle timeout; a reply of the assistant's own follows."""


@dataclass(frozen=True, slots=True)
class ReportError:
    """Tell the client that something could not be done, and why."""

    code: str
    message: str


Action = (
    OpenUtterance
    | FlushUtterance
    | ContinueUtterance
    | CloseUtterance
    | GiveUpText
    | AnnounceSpeech
    | EndTurn
    | CommitUser
    | StartReply
    | SkipDraft
    | ReleaseReply
    | CancelReply
    | CallOffReply
    | FinishReply
    | PauseReply
    | ResumeReply
    | AnnounceIdle
    | ReportError
)
