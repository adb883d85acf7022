"""How the session's own things look in the protocol: items, sessions, responses, usage. Pure."""

import json
from typing import Any

from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.conversation import Item, ItemKind, Part, Role
from services.orchestrator.edge.realtime.audio_formats import AudioFormat
from services.orchestrator.endpointing import FixedSilence, SemanticEndpointing
from services.orchestrator.events import ReplyBegan, ReplyDone, Usage
from services.orchestrator.session_config import SessionConfig
from services.orchestrator.turn_events import CancelReason

Json = dict[str, Any]


def audio_format(of: AudioFormat) -> Json:
    """An audio format; G.711 has one rate only, which the protocol does not tell."""
    return {"type": of.value, "rate": of.rate} if of is AudioFormat.PCM else {"type": of.value}


def item(of: Item) -> Json:
    """A conversation item."""
    base: Json = {"id": of.id, "object": "realtime.item", "type": of.kind.value, "status": of.status}
    match of.kind:
        case ItemKind.FUNCTION_CALL:
            return base | {"call_id": of.call_id, "name": of.name, "arguments": of.arguments}
        case ItemKind.FUNCTION_CALL_OUTPUT:
            return base | {"call_id": of.call_id, "output": of.text}
        case ItemKind.MESSAGE:
            return base | {"role": of.role.value, "content": _content(of)}


def _content(of: Item) -> list[Json]:
    if len(of.parts) > 1 or any(part.spoken for part in of.parts):
        return [_part(of.role, part) for part in of.parts]
    if of.role is Role.ASSISTANT:
        if of.status == "in_progress":
            return []
        if of.spoken:
            return [{"type": "output_audio", "transcript": of.text}]
        return [{"type": "output_text", "text": of.text}]
    if of.spoken:
        return [{"type": "input_audio", "transcript": of.text or None}]
    return [{"type": "input_text", "text": of.text}]


def _part(role: Role, part: Part) -> Json:
    if part.spoken:
        return {"type": "input_audio", "transcript": part.text}
    return {"type": "output_text" if role is Role.ASSISTANT else "input_text", "text": part.text or ""}


def session(
    session_id: str,
    config: SessionConfig,
    *,
    model: str,
    transcribe: bool,
    expires_at: int,
    input_format: AudioFormat = AudioFormat.PCM,
    output_format: AudioFormat = AudioFormat.PCM,
) -> Json:
    """The session object of `session.created` and `session.updated`."""
    transcription = {"model": "voxfleet-stt", "language": config.language or None, "prompt": config.hint or None}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "expires_at": expires_at,
        "output_modalities": [config.modality],
        "instructions": config.instructions,
        "audio": {
            "input": {
                "format": audio_format(input_format),
                "transcription": transcription if transcribe else None,
                "noise_reduction": _noise_reduction(config),
                "turn_detection": _turn_detection(config),
            },
            "output": {
                "format": audio_format(output_format),
                "voice": config.voice or "auto",
                "speed": config.speed,
            },
        },
        "tools": [_tool(tool) for tool in config.tools],
        "tool_choice": _tool_choice(config.tool_choice),
        "temperature": config.temperature,
        "max_output_tokens": config.max_output_tokens,
        "tracing": None,
        "truncation": "auto",
        "include": None,
    }


def _noise_reduction(config: SessionConfig) -> Json | None:
    return None if config.noise_reduction is None else {"type": config.noise_reduction.value}


def _turn_detection(config: SessionConfig) -> Json | None:
    turn = config.turn
    if not turn.detection:
        return None
    responses = {"create_response": turn.create_response, "interrupt_response": turn.interrupt_response}
    if isinstance(turn.endpointing, SemanticEndpointing):
        return {"type": "semantic_vad", "eagerness": turn.endpointing.eagerness.value} | responses
    assert isinstance(turn.endpointing, FixedSilence)
    return {
        "type": "server_vad",
        "threshold": 0.5 if config.threshold is None else config.threshold,
        "prefix_padding_ms": round(turn.prefix_s * 1000),
        "silence_duration_ms": round(turn.endpointing.silence_s * 1000),
        "idle_timeout_ms": None if turn.idle_timeout_s is None else round(turn.idle_timeout_s * 1000),
    } | responses


def _tool(tool: llm_pb2.Tool) -> Json:
    parameters = json.loads(tool.parameters_json) if tool.parameters_json else {}
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": parameters}


_CHOICES = {
    llm_pb2.ToolChoice.MODE_NONE: "none",
    llm_pb2.ToolChoice.MODE_REQUIRED: "required",
}


def _tool_choice(choice: llm_pb2.ToolChoice) -> str | Json:
    return {"type": "function", "name": choice.name} if choice.name else _CHOICES.get(choice.mode, "auto")


def response(began: ReplyBegan, done: ReplyDone | None, output_format: AudioFormat, conversation_id: str) -> Json:
    """The response object of `response.created` (`done` None) and `response.done`."""
    return {
        "id": began.response_id,
        "object": "realtime.response",
        "status": "in_progress" if done is None else status(done),
        "status_details": status_details(done),
        "output": [] if done is None else [item(of) for of in done.output],
        "conversation_id": conversation_id if began.in_conversation else None,
        "output_modalities": [began.modality],
        "max_output_tokens": began.max_output_tokens,
        "audio": {"output": {"format": audio_format(output_format), "voice": began.voice or "auto"}},
        "usage": None if done is None else usage(done.usage),
        "metadata": None if began.metadata is None else dict(began.metadata),
    }


def status(done: ReplyDone) -> str:
    """How a response ended, in the protocol's word."""
    if done.cancelled is CancelReason.FAILED:
        return "failed"
    if done.cancelled is not None:
        return "cancelled"
    return "incomplete" if done.cut_at_length else "completed"


def status_details(done: ReplyDone | None) -> Json | None:
    """Why a response ended so; None where nothing is to be said."""
    if done is None:
        return None
    if done.cancelled is CancelReason.FAILED:
        code = done.error.reason.lower() if done.error is not None else "internal"
        message = done.error.message if done.error is not None else "the response failed"
        return {"type": "failed", "error": {"type": "server_error", "code": code, "message": message}}
    if done.cancelled is not None:
        return {"type": "cancelled", "reason": done.cancelled.value}
    return {"type": "incomplete", "reason": "max_output_tokens"} if done.cut_at_length else None


def usage(of: Usage) -> Json:
    """Token counts. The fleet's language model reads and writes text only."""
    return {
        "total_tokens": of.input_tokens + of.output_tokens,
        "input_tokens": of.input_tokens,
        "output_tokens": of.output_tokens,
        "input_token_details": {"text_tokens": of.input_tokens, "audio_tokens": 0, "cached_tokens": of.cached_tokens},
        "output_token_details": {"text_tokens": of.output_tokens, "audio_tokens": 0},
    }


def content_part(modality: str, text: str) -> Json:
    """The content part of a reply."""
    return {"type": "audio", "transcript": text} if modality == "audio" else {"type": "text", "text": text}
