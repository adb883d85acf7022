"""What OpenAI's chat completions API takes, and what of it the language model stage is told. Pure."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.edge.realtime.client_events import Model

DEFAULT_MAX_TOKENS = 1_024
"""Most tokens of an answer where the client names none; what is spoken aloud is kept shorter than what is read."""

Name = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class TextPart(Model):
    """A piece of a message's text. Images and audio are not understood."""

    type: Literal["text"]
    text: str


Content = str | list[TextPart]


class SystemMessage(Model):
    role: Literal["system", "developer"]
    content: Content
    name: str | None = None
    """Accepted, no effect."""


class UserMessage(Model):
    role: Literal["user"]
    content: Content
    name: str | None = None
    """Accepted, no effect."""


class CalledFunction(Model):
    name: Name
    arguments: str

    @field_validator("arguments")
    @classmethod
    def _is_object(cls, value: str) -> str:
        # A call without arguments is an empty text with some clients.
        value = value.strip() or "{}"
        try:
            parsed = json.loads(value)
        except ValueError as problem:
            raise ValueError(f"expected a JSON object as text: {problem}") from problem
        if not isinstance(parsed, dict):
            raise ValueError(f"expected a JSON object as text, got {type(parsed).__name__}")  # noqa: TRY004
        return value


class MadeCall(Model):
    id: str = Field(min_length=1, max_length=256)
    type: Literal["function"] = "function"
    index: int | None = None
    """Accepted, no effect: streamed calls carry it, and clients send them back."""
    function: CalledFunction


class AssistantMessage(Model):
    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: list[MadeCall] | None = Field(None, max_length=64)
    name: str | None = None
    """Accepted, no effect, as all below."""
    refusal: None = None
    annotations: list[Any] | None = None
    audio: None = None
    function_call: None = None


class ToolMessage(Model):
    role: Literal["tool"]
    tool_call_id: str = Field(min_length=1, max_length=256)
    content: Content


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class Function(Model):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    """Accepted, no effect: arguments always follow the schema."""


class Tool(Model):
    type: Literal["function"]
    function: Function


class NamedFunction(Model):
    name: Name


class NamedTool(Model):
    type: Literal["function"]
    function: NamedFunction


class StreamOptions(Model):
    include_usage: bool = False
    include_obfuscation: bool | None = None
    """Accepted, no effect."""


class PlainText(Model):
    type: Literal["text"]


class ChatRequest(Model):
    """A conversation and how to answer it. `model` is told back; the fleet has one."""

    model: str = Field(max_length=256)
    messages: list[Message] = Field(min_length=1, max_length=2_048)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = Field(None, max_length=64)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    max_tokens: int | None = Field(None, ge=1, le=1 << 20)
    max_completion_tokens: int | None = Field(None, ge=1, le=1 << 20)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    # Asked for, these would change the answer in a way that is not there: only what asks for nothing is accepted.
    n: Literal[1] | None = None
    stop: None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    response_format: PlainText | None = None
    modalities: list[Literal["text"]] | None = None
    audio: None = None
    # Accepted, no effect.
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    parallel_tool_calls: bool | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None

    def question(self) -> tuple[llm_pb2.ChatConfig, str]:
        """The stage's config, and the person's words that it is to answer: empty where the last message is not theirs,
        the answer then goes on from the history."""
        instructions, rest = _instructions(self.messages)
        words = ""
        if rest and isinstance(last := rest[-1], UserMessage) and _text(last.content).strip():
            rest, words = rest[:-1], _text(last.content)
        config = llm_pb2.ChatConfig(
            instructions=instructions,
            history=[_message(message) for message in rest],
            tools=[_tool(tool) for tool in self.tools or ()],
            tool_choice=_choice(self.tool_choice),
            temperature=self.temperature,
            top_p=self.top_p,
            max_output_tokens=self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS,
        )
        return config, words


def _instructions(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """What the system says before anybody else, and the messages after that."""
    leading: list[str] = []
    for message in messages:
        if not isinstance(message, SystemMessage):
            break
        leading.append(_text(message.content))
    return "\n\n".join(leading), messages[len(leading) :]


def _text(content: Content | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content)


def _message(message: Message) -> llm_pb2.Message:
    match message:
        case SystemMessage():
            return llm_pb2.Message(role=llm_pb2.ROLE_SYSTEM, text=_text(message.content))
        case UserMessage():
            return llm_pb2.Message(role=llm_pb2.ROLE_USER, text=_text(message.content))
        case ToolMessage():
            return llm_pb2.Message(
                role=llm_pb2.ROLE_TOOL, text=_text(message.content), tool_call_id=message.tool_call_id
            )
        case AssistantMessage():
            calls = [
                llm_pb2.ToolCall(id=call.id, name=call.function.name, arguments_json=call.function.arguments)
                for call in message.tool_calls or ()
            ]
            return llm_pb2.Message(role=llm_pb2.ROLE_ASSISTANT, text=_text(message.content), tool_calls=calls)


def _tool(tool: Tool) -> llm_pb2.Tool:
    function = tool.function
    parameters = json.dumps(function.parameters, ensure_ascii=False) if function.parameters else ""
    return llm_pb2.Tool(name=function.name, description=function.description or "", parameters_json=parameters)


_MODES = {
    "none": llm_pb2.ToolChoice.MODE_NONE,
    "auto": llm_pb2.ToolChoice.MODE_AUTO,
    "required": llm_pb2.ToolChoice.MODE_REQUIRED,
}


def _choice(choice: Literal["none", "auto", "required"] | NamedTool | None) -> llm_pb2.ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, NamedTool):
        return llm_pb2.ToolChoice(mode=llm_pb2.ToolChoice.MODE_REQUIRED, name=choice.function.name)
    return llm_pb2.ToolChoice(mode=_MODES[choice])
