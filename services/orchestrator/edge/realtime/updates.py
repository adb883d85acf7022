"""What a client asks for, put over what the session has: `session.update` and `response.create`. Pure."""

import json
from collections.abc import Iterable
from dataclasses import replace

from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.conversation import Item
from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.endpointing import Eagerness, FixedSilence, SemanticEndpointing
from services.orchestrator.session_config import ReplyOverrides, SessionConfig
from services.orchestrator.turn_config import TurnConfig

# Names of OpenAI's voices. Clients name one out of habit: it stands for the default voice of the language.
FOREIGN_VOICES = frozenset(
    ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse")
)

_MODES = {
    "none": llm_pb2.ToolChoice.MODE_NONE,
    "auto": llm_pb2.ToolChoice.MODE_AUTO,
    "required": llm_pb2.ToolChoice.MODE_REQUIRED,
}


def voice(wish: str | client.VoiceId) -> str:
    """The fleet's name of a voice; empty for the default of the language."""
    name = wish if isinstance(wish, str) else wish.id
    return "" if name in FOREIGN_VOICES or name == "auto" else name


def updated(config: SessionConfig, body: client.SessionUpdateBody) -> SessionConfig:
    """`config` with what `body` sets."""
    if body.instructions is not None:
        config = replace(config, instructions=body.instructions)
    if body.output_modalities is not None:
        config = replace(config, modality=body.output_modalities[0])
    if body.temperature is not None:
        config = replace(config, temperature=body.temperature)
    if body.max_output_tokens is not None:
        config = replace(config, max_output_tokens=max_tokens(body.max_output_tokens))
    if body.tools is not None:
        config = replace(config, tools=tuple(_tool(tool) for tool in body.tools))
    if body.tool_choice is not None:
        config = replace(config, tool_choice=_choice(body.tool_choice))
    if body.audio is not None and body.audio.input is not None:
        config = _with_input(config, body.audio.input)
    if body.audio is not None and body.audio.output is not None:
        output = body.audio.output
        config = replace(
            config,
            voice=config.voice if output.voice is None else voice(output.voice),
            speed=config.speed if output.speed is None else output.speed,
        )
    return config


def _with_input(config: SessionConfig, audio: client.AudioInput) -> SessionConfig:
    if audio.transcription is not None:
        config = replace(config, language=audio.transcription.language or "", hint=audio.transcription.prompt or "")
    if "noise_reduction" in audio.model_fields_set:
        reduction = audio.noise_reduction
        config = replace(config, noise_reduction=None if reduction is None else reduction.type)
    if "turn_detection" not in audio.model_fields_set:
        return config
    if audio.turn_detection is None:
        return replace(config, turn=replace(config.turn, detection=False))
    return _with_turn_detection(config, audio.turn_detection)


def _with_turn_detection(config: SessionConfig, wish: client.ServerVad | client.SemanticVad) -> SessionConfig:
    turn = replace(
        config.turn,
        detection=True,
        create_response=wish.create_response is not False,
        interrupt_response=wish.interrupt_response is not False,
        idle_timeout_s=None,
        prefix_s=TurnConfig().prefix_s,
    )
    if isinstance(wish, client.SemanticVad):
        eagerness = Eagerness(wish.eagerness or "auto")
        return replace(config, turn=replace(turn, endpointing=SemanticEndpointing(eagerness)), threshold=None)
    silence = FixedSilence() if wish.silence_duration_ms is None else FixedSilence(wish.silence_duration_ms / 1000)
    turn = replace(turn, endpointing=silence)
    if wish.prefix_padding_ms is not None:
        turn = replace(turn, prefix_s=wish.prefix_padding_ms / 1000)
    if wish.idle_timeout_ms is not None:
        turn = replace(turn, idle_timeout_s=wish.idle_timeout_ms / 1000)
    return replace(config, turn=turn, threshold=wish.threshold)


def overrides(body: client.ResponseBody | None, shown: tuple[Item | str, ...] | None = None) -> ReplyOverrides:
    """What `response.create` asks for this reply only. `shown` is its `input`: items, and ids of items."""
    if body is None:
        return ReplyOverrides()
    output = body.audio.output if body.audio is not None else None
    return ReplyOverrides(
        instructions=body.instructions,
        voice=voice(output.voice) if output is not None and output.voice is not None else None,
        speed=None if output is None else output.speed,
        modality=body.output_modalities[0] if body.output_modalities is not None else None,
        temperature=body.temperature,
        max_output_tokens=None if body.max_output_tokens is None else max_tokens(body.max_output_tokens),
        tools=None if body.tools is None else tuple(_tool(tool) for tool in body.tools),
        tool_choice=None if body.tool_choice is None else _choice(body.tool_choice),
        input=shown,
        metadata=body.metadata,
        audio_format=None if output is None or output.format is None else output.format.type,
        in_conversation=body.conversation != "none",
    )


def tool_that_is_not_there(tools: Iterable[llm_pb2.Tool], choice: llm_pb2.ToolChoice) -> str | None:
    """The tool that must be called though there is none of that name; None where all is well."""
    return choice.name if choice.name and choice.name not in {tool.name for tool in tools} else None


def max_tokens(value: int | str) -> int:
    """The number; "inf" is the largest that the protocol names."""
    return value if isinstance(value, int) else 4_096


def _tool(tool: client.FunctionTool) -> llm_pb2.Tool:
    return llm_pb2.Tool(name=tool.name, description=tool.description, parameters_json=json.dumps(tool.parameters))


def _choice(choice: client.ToolChoice) -> llm_pb2.ToolChoice:
    if isinstance(choice, client.NamedTool):
        return llm_pb2.ToolChoice(mode=llm_pb2.ToolChoice.MODE_REQUIRED, name=choice.name)
    return llm_pb2.ToolChoice(mode=_MODES[choice])
