"""What an OpenAI Realtime client may send (GA names), as models that say what was expected where something else came.

Source: the Realtime API's client events. Fields that voxfleet accepts and does nothing with are marked so.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from services.orchestrator import noise_reduction

# The largest `audio` of one append, in bytes after decoding.
MAX_APPEND_BYTES = 15 << 20


class Model(BaseModel):
    """Unknown fields are errors: a misspelt one would otherwise be ignored in silence."""

    model_config = ConfigDict(extra="forbid")


class PcmFormat(Model):
    type: Literal["audio/pcm"]
    rate: Literal[24000] = 24000


class G711Format(Model):
    type: Literal["audio/pcmu", "audio/pcma"]


Format = Annotated[PcmFormat | G711Format, Field(discriminator="type")]


class Transcription(Model):
    model: str | None = None
    """Accepted; the fleet has one speech-to-text model."""
    language: str | None = Field(None, pattern="^[a-z]{2,3}$")
    prompt: str | None = Field(None, max_length=1000)


class ServerVad(Model):
    type: Literal["server_vad"]
    threshold: float | None = Field(None, ge=0, le=1)
    prefix_padding_ms: int | None = Field(None, ge=0, le=5_000)
    silence_duration_ms: int | None = Field(None, ge=0, le=10_000)
    idle_timeout_ms: int | None = Field(None, ge=1_000, le=600_000)
    create_response: bool | None = None
    interrupt_response: bool | None = None


class SemanticVad(Model):
    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


def _installed(kind: noise_reduction.NoiseReduction) -> noise_reduction.NoiseReduction:
    if not noise_reduction.available():
        raise ValueError("expected no noise reduction: this server is installed without it (the extra `noise`)")
    return kind


NoiseReductionType = Annotated[noise_reduction.NoiseReduction, AfterValidator(_installed)]


class NoiseReduction(Model):
    type: NoiseReductionType


class AudioInput(Model):
    format: Format | None = None
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None
    noise_reduction: NoiseReduction | None = None


VoiceName = Annotated[str, Field(min_length=1, max_length=64)]


class VoiceId(Model):
    id: VoiceName


class AudioOutput(Model):
    format: Format | None = None
    voice: VoiceName | VoiceId | None = None
    speed: float | None = Field(None, ge=0.25, le=1.5)


class Audio(Model):
    input: AudioInput | None = None
    output: AudioOutput | None = None


FunctionName = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]


def _of_an_object(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type", "object") != "object":
        raise ValueError("expected a JSON Schema of type object")
    return schema


class FunctionTool(Model):
    type: Literal["function"]
    name: FunctionName
    description: str = ""
    parameters: Annotated[dict[str, Any], AfterValidator(_of_an_object)] = Field(default_factory=dict)


def _distinct(tools: list[FunctionTool]) -> list[FunctionTool]:
    names = [tool.name for tool in tools]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"expected tools of different names, got {', '.join(twice)} more than once")
    return tools


Tools = Annotated[list[FunctionTool], Field(max_length=64), AfterValidator(_distinct)]


class NamedTool(Model):
    type: Literal["function"]
    name: str


Modalities = Annotated[list[Literal["audio", "text"]], Field(min_length=1, max_length=1)]
MaxTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]
ToolChoice = Literal["none", "auto", "required"] | NamedTool


class SessionUpdateBody(Model):
    type: Literal["realtime"]
    model: str | None = None
    """Accepted; which model answers is the fleet's affair."""
    instructions: str | None = Field(None, max_length=32_000)
    output_modalities: Modalities | None = None
    audio: Audio | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_output_tokens: MaxTokens | None = None
    tracing: Any = None
    """Accepted, no effect."""
    include: list[str] | None = None
    """Accepted, no effect."""
    truncation: Any = None
    """Accepted, no effect: the oldest turns give way when the context is full."""


class TextPart(Model):
    type: Literal["input_text", "output_text", "text"]
    text: str = Field(max_length=100_000)


class AudioPart(Model):
    """Audio that the person said, in the session's input format; or only its transcript, of a conversation before."""

    type: Literal["input_audio"]
    audio: str | None = None
    transcript: str | None = Field(None, max_length=100_000)


ContentPart = Annotated[TextPart | AudioPart, Field(discriminator="type")]


CallId = Annotated[str, Field(min_length=1, max_length=256)]


class MessageItem(Model):
    id: str | None = Field(None, min_length=1, max_length=64)
    object: Literal["realtime.item"] | None = None
    type: Literal["message"]
    role: Literal["user", "assistant", "system"]
    status: Literal["completed", "incomplete", "in_progress"] | None = None
    content: list[ContentPart] = Field(min_length=1, max_length=32)


def _json_object(text: str) -> str:
    try:
        is_object = isinstance(from_json(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise ValueError("expected a JSON object as text")
    return text


class FunctionCallItem(Model):
    id: str | None = Field(None, min_length=1, max_length=64)
    object: Literal["realtime.item"] | None = None
    type: Literal["function_call"]
    status: Literal["completed", "incomplete", "in_progress"] | None = None
    name: FunctionName
    call_id: CallId
    arguments: Annotated[str, Field(max_length=100_000), AfterValidator(_json_object)]


class FunctionCallOutputItem(Model):
    id: str | None = Field(None, min_length=1, max_length=64)
    object: Literal["realtime.item"] | None = None
    type: Literal["function_call_output"]
    status: Literal["completed", "incomplete", "in_progress"] | None = None
    call_id: CallId
    output: str = Field(max_length=100_000)


ClientItem = Annotated[MessageItem | FunctionCallItem | FunctionCallOutputItem, Field(discriminator="type")]


class ItemReference(Model):
    type: Literal["item_reference"]
    id: str


InputItem = Annotated[
    MessageItem | FunctionCallItem | FunctionCallOutputItem | ItemReference, Field(discriminator="type")
]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class ResponseAudio(Model):
    output: AudioOutput | None = None


class ResponseBody(Model):
    instructions: str | None = Field(None, max_length=32_000)
    output_modalities: Modalities | None = None
    audio: ResponseAudio | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_output_tokens: MaxTokens | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    conversation: Literal["auto", "none"] | None = None
    input: list[InputItem] | None = Field(None, max_length=256)
    metadata: Metadata | None = None


class Event(Model):
    event_id: str | None = Field(None, max_length=512)


class SessionUpdate(Event):
    type: Literal["session.update"]
    session: SessionUpdateBody


class AudioAppend(Event):
    type: Literal["input_audio_buffer.append"]
    audio: str


class AudioCommit(Event):
    type: Literal["input_audio_buffer.commit"]


class AudioClear(Event):
    type: Literal["input_audio_buffer.clear"]


class ItemCreate(Event):
    type: Literal["conversation.item.create"]
    previous_item_id: str | None = None
    item: ClientItem


class ItemRetrieve(Event):
    type: Literal["conversation.item.retrieve"]
    item_id: str


class ItemTruncate(Event):
    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: Literal[0]
    audio_end_ms: int = Field(ge=0)


class ItemDelete(Event):
    type: Literal["conversation.item.delete"]
    item_id: str


class ResponseCreate(Event):
    type: Literal["response.create"]
    response: ResponseBody | None = None


class ResponseCancel(Event):
    type: Literal["response.cancel"]
    response_id: str | None = None


class OutputAudioClear(Event):
    """Cuts off what is being played, where the server holds the peer's playout."""

    type: Literal["output_audio_buffer.clear"]


class PlayoutPosition(Event):
    """voxfleet's own: the loudspeaker has played `audio_ms` ms of a reply, and goes on (`playing`) or stands still."""

    type: Literal["voxfleet.playout.position"]
    item_id: str = Field(min_length=1, max_length=64)
    audio_ms: float = Field(ge=0, allow_inf_nan=False)
    playing: bool = True


ClientEvent = Annotated[
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | OutputAudioClear
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
    | PlayoutPosition,
    Field(discriminator="type"),
]
CLIENT_EVENT: TypeAdapter[ClientEvent] = TypeAdapter(ClientEvent)
