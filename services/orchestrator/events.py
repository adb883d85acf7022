"""What a session tells its client, whatever protocol the client speaks."""

from collections.abc import Mapping
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

    Its text may be empty: nothing was understood, or the transcription failed with `failure`.
    """

    item: Item
    previous_item_id: str | None
    seconds: float
    failure: StageError | None = None


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """The client's own item joined the conversation."""

    item: Item
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class AudioUnderstood:
    """What part number `content_index` of the client's own item says, `seconds` of audio."""

    item_id: str
    content_index: int
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AudioNotUnderstood:
    """Part number `content_index` of the client's own item could not be transcribed."""

    item_id: str
    content_index: int
    failure: StageError


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the conversation an item stands."""

    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """A reply begins. `item_id` is what its message will be called, if it gets one.

    `voice` is empty for the default of the language; `metadata` and `audio_format` are what the client said. A reply
    that is not `in_conversation` is told to the client only.
    """

    response_id: str
    item_id: str
    modality: str
    voice: str = ""
    max_output_tokens: int = 0
    metadata: Mapping[str, str] | None = None
    audio_format: str | None = None
    in_conversation: bool = True


@dataclass(frozen=True, slots=True)
class OutputBegan:
    """An item of a reply begins: its message, or a call of a function. `place` None: it joins no conversation."""

    response_id: str
    item: Item
    place: Place | None


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the arguments (JSON text) of the function call `item_id`."""

    response_id: str
    item_id: str
    call_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class OutputDone:
    """An item of a reply is over. `cut_off` says that its audio was stopped before its end.

    `place` None: it is in no conversation, or not any more.
    """

    response_id: str
    item: Item
    place: Place | None
    cut_off: bool = False


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
class ReplyDone:
    """A reply ended. `cancelled` says why it was stopped; `error` what failed; `text` is all that was sent of it.

    `item` is its message, without text where the reply had none; `output` is all that it consists of, in order.
    """

    response_id: str
    item: Item
    output: tuple[Item, ...] = ()
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
    """Nobody spoke for the idle timeout, from `start_ms` to `end_ms`. The silence becomes the item `item_id`."""

    item_id: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SessionError:
    """Something failed or could not be done; the session goes on. `stage` is the stage that failed, if one did.

    `cause` is the client's own name of the request that could not be done, `param` its field at fault.
    """

    code: str
    message: str
    stage: str | None = None
    cause: str | None = None
    param: str | None = None


Event = (
    SpeechBegan
    | SpeechEnded
    | PartialTranscript
    | UserTurn
    | ItemAdded
    | AudioUnderstood
    | AudioNotUnderstood
    | ReplyBegan
    | OutputBegan
    | ReplyText
    | ReplyAudio
    | CallArguments
    | OutputDone
    | ReplyPaused
    | ReplyResumed
    | ReplyDone
    | TurnMeasured
    | IdleTimeout
    | SessionError
)
