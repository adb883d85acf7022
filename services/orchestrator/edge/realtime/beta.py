"""The Realtime protocol as it was before its general availability (GA): beta names for the same things. Pure.

Source: the beta's events, as `openai.types.beta.realtime` has them. A client that sends fields of the GA protocol is
told that they are unknown, as the beta did.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.edge.realtime.audio_formats import AudioFormat
from services.orchestrator.edge.realtime.views import Json

HEADER = "realtime=v1"
"""The value of the header `OpenAI-Beta` by which a client asks for the beta."""
SUBPROTOCOL = "openai-beta.realtime-v1"
"""The WebSocket subprotocol by which a browser does, which cannot set headers."""

# The beta's name of a field in a session or a response, and the field's path in the GA protocol.
_PATHS = {
    "modalities": "output_modalities",
    "max_response_output_tokens": "max_output_tokens",
    "voice": "audio.output.voice",
    "speed": "audio.output.speed",
    "output_audio_format": "audio.output.format",
    "input_audio_format": "audio.input.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
}
_NAMES = {path: name for name, path in _PATHS.items()}
# Fields that a beta session does not have, or has under another name.
_GA_ONLY = frozenset(("type", "audio", "output_modalities", "max_output_tokens", "truncation", "include"))

_FORMATS = {"pcm16": AudioFormat.PCM, "g711_ulaw": AudioFormat.PCMU, "g711_alaw": AudioFormat.PCMA}
_FORMAT_NAMES = {audio_format: name for name, audio_format in _FORMATS.items()}

_EVENTS = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
}
_NOT_SENT = "conversation.item.done"
_CONTENT = {"output_audio": "audio", "output_text": "text"}

# Stands for a field that a view does not have; null is a value.
_ABSENT = object()

FormatName = Literal["pcm16", "g711_ulaw", "g711_alaw"]
Modalities = Annotated[list[Literal["audio", "text"]], Field(min_length=1, max_length=2)]


class FunctionName(client.Model):
    name: str


class NestedNamedTool(client.Model):
    type: Literal["function"]
    function: FunctionName


class SessionBody(client.Model):
    model: str | None = None
    """Accepted; which model answers is the fleet's affair."""
    modalities: Modalities | None = None
    instructions: str | None = Field(None, max_length=32_000)
    voice: str | None = Field(None, min_length=1, max_length=64)
    speed: float | None = Field(None, ge=0.25, le=1.5)
    input_audio_format: FormatName | None = None
    output_audio_format: FormatName | None = None
    input_audio_transcription: client.Transcription | None = None
    input_audio_noise_reduction: client.NoiseReduction | None = None
    turn_detection: client.TurnDetection | None = None
    tools: client.Tools | None = None
    tool_choice: client.ToolChoice | NestedNamedTool | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_response_output_tokens: client.MaxTokens | None = None
    tracing: Any = None
    """Accepted, no effect."""


class ResponseBody(client.Model):
    modalities: Modalities | None = None
    instructions: str | None = Field(None, max_length=32_000)
    voice: str | None = Field(None, min_length=1, max_length=64)
    output_audio_format: FormatName | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_response_output_tokens: client.MaxTokens | None = None
    max_output_tokens: client.MaxTokens | None = None
    """The same; the beta's first clients call it so."""
    tools: client.Tools | None = None
    tool_choice: client.ToolChoice | NestedNamedTool | None = None
    conversation: Literal["auto", "none"] | None = None
    input: list[client.InputItem] | None = Field(None, max_length=256)
    metadata: client.Metadata | None = None


class SessionUpdate(client.Event):
    type: Literal["session.update"]
    session: SessionBody


class ResponseCreate(client.Event):
    type: Literal["response.create"]
    response: ResponseBody | None = None


BetaEvent = Annotated[
    SessionUpdate
    | ResponseCreate
    | client.AudioAppend
    | client.AudioCommit
    | client.AudioClear
    | client.OutputAudioClear
    | client.ItemCreate
    | client.ItemRetrieve
    | client.ItemTruncate
    | client.ItemDelete
    | client.ResponseCancel
    | client.PlayoutPosition,
    Field(discriminator="type"),
]
BETA_EVENT: TypeAdapter[BetaEvent] = TypeAdapter(BetaEvent)


def is_wanted(header: str, subprotocols: Iterable[str]) -> bool:
    """Whether a client that sends this `OpenAI-Beta` header and offers these subprotocols speaks the beta."""
    return HEADER in (value.strip() for value in header.split(",")) or SUBPROTOCOL in subprotocols


class Beta:
    """The dialect of the beta."""

    def parse(self, data: object) -> client.ClientEvent:
        """A client event. Raises ValidationError, which speaks of `data`."""
        event = BETA_EVENT.validate_python(data)
        match event:
            case SessionUpdate(event_id=event_id, session=body):
                session = client.SessionUpdateBody.model_validate({"type": "realtime"} | _nested(body))
                return client.SessionUpdate(type="session.update", event_id=event_id, session=session)
            case ResponseCreate(event_id=event_id, response=wish):
                response = None if wish is None else client.ResponseBody.model_validate(_nested(wish))
                return client.ResponseCreate(type="response.create", event_id=event_id, response=response)
            case _:
                return event

    def tell(self, message: Json) -> Json | None:
        """A server event in the beta's words; None for those that it does not have."""
        kind: str = message["type"]
        if kind == _NOT_SENT:
            return None
        told = message | {"type": _EVENTS.get(kind, kind)}
        if "item" in message:
            told["item"] = _item(message["item"])
        if "session" in message:
            told["session"] = _flat(message["session"])
        if "response" in message:
            told["response"] = _response(message["response"])
        if kind == "response.function_call_arguments.done":
            del told["name"]
        return told

    def field(self, path: str) -> str:
        """What the beta calls the field with the dotted GA `path`."""
        scope, _, inner = path.partition(".")
        return f"{scope}.{_NAMES[inner]}" if inner in _NAMES else path


def _nested(body: SessionBody | ResponseBody) -> Json:
    """What a beta client said of a session or a response, as the GA protocol nests it."""
    nested: Json = {}
    for name, value in body.model_dump(exclude_unset=True).items():
        *outer, last = _PATHS.get(name, name).split(".")
        here = nested
        for key in outer:
            here = here.setdefault(key, {})
        here[last] = value if value is None else _ga_value(name, value)
    return nested


def _ga_value(name: str, value: Any) -> Any:
    match name:
        case "modalities":
            return ["audio" if "audio" in value else "text"]
        case "input_audio_format" | "output_audio_format":
            return {"type": _FORMATS[value].value}
        case "tool_choice" if isinstance(value, dict) and "function" in value:
            return {"type": "function", "name": value["function"]["name"]}
        case _:
            return value


def _flat(view: Json) -> Json:
    """A session or a response as a beta client knows it."""
    flat = {key: value for key, value in view.items() if key not in _GA_ONLY}
    for name, path in _PATHS.items():
        here: Any = view
        for key in path.split("."):
            here = here.get(key, _ABSENT) if isinstance(here, dict) else _ABSENT
        if here is not _ABSENT:
            flat[name] = _beta_value(name, here)
    return flat


def _beta_value(name: str, value: Any) -> Any:
    match name:
        case "modalities":
            return ["text", "audio"] if "audio" in value else ["text"]
        case "input_audio_format" | "output_audio_format":
            return _FORMAT_NAMES[AudioFormat(value["type"])]
        case _:
            return value


def _response(view: Json) -> Json:
    """A response as a beta client knows it. Only where it is asked for has the limit of tokens another name."""
    flat = _flat(view)
    limit = {"max_output_tokens": flat.pop("max_response_output_tokens")}
    return flat | limit | {"output": [_item(item) for item in view["output"]]}


def _item(item: Json) -> Json:
    """A conversation item with the beta's content types."""
    if "content" not in item:
        return item
    return item | {"content": [part | {"type": _CONTENT.get(part["type"], part["type"])} for part in item["content"]]}
