"""What a session tells its client, whatever protocol the client speaks."""

from dataclasses import dataclass, field

from chassis.errors import StageError
from services.orchestrator.conversation import Item
from services.orchestrator.turn_events import CancelReason


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The person's turn began. `item_id` is the item that it will become; `offset_ms` on the session's timeline."""

    item_id: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The person's turn is over."""

    item_id: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """What the person has said so far; replaces the one before it."""

    item_id: str
    stable: str
    unstable: str


@dataclass(frozen=True, slots=True)
class UserTurn:
    """The person's turn as an item, behind `previous_item_id`, spoken for `seconds`.

    Its text may be empty: nothing was understood, and the item did not join the conversation.
    """

    item: Item
    previous_item_id: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """The client's own item joined the conversation."""

    item: Item
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """A reply begins; `previous_item_id` is the item before it."""

    response_id: str
    item_id: str
    previous_item_id: str | None
    modality: str


@dataclass(frozen=True, slots=True)
class ReplyText:
    """More text of a reply: written for the "text" modality, else spoken by audio that follows."""

    response_id: str
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """More audio of a reply, PCM s16le mono at `rate` hertz."""

    response_id: str
    item_id: str
    pcm: bytes
    rate: int


@dataclass(frozen=True, slots=True)
class ReplyPaused:
    """No more audio of a reply is sent for now: somebody speaks. A loudspeaker that can be held is to be held."""

    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    """Nothing was said: a paused reply goes on where it stopped."""

    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one reply."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that the reply calls."""

    item: Item
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """A reply ended. `cancelled` says why it was stopped; `error` what failed; `text` is all that was sent of it."""

    response_id: str
    item: Item
    calls: tuple[FunctionCall, ...] = ()
    cancelled: CancelReason | None = None
    cut_at_length: bool = False
    error: StageError | None = None
    usage: Usage = field(default_factory=Usage)
    text: str = ""


@dataclass(frozen=True, slots=True)
class TurnMeasured:
    """The marks of a turn, in milliseconds since the last speech sample was received."""

    response_id: str
    user_item_id: str
    language: str
    draft: bool
    marks: dict[str, float]


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """Nobody spoke for the idle timeout."""

    item_id: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class SessionError:
    """Something failed or could not be done; the session goes on. `stage` is the stage that failed, if one did."""

    code: str
    message: str
    stage: str | None = None


Event = (
    SpeechBegan
    | SpeechEnded
    | PartialTranscript
    | UserTurn
    | ItemAdded
    | ReplyBegan
    | ReplyText
    | ReplyAudio
    | ReplyPaused
    | ReplyResumed
    | ReplyDone
    | TurnMeasured
    | IdleTimeout
    | SessionError
)
