"""`POST /v1/chat/completions`: OpenAI's chat API over the language model stage alone, whole or as server-sent events.

The text is the model's own: nothing is taken out of it for being hard to speak.
"""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from voxfleet.llm.v1 import llm_pb2

from chassis.context import CallContext
from chassis.errors import Code, StageError
from services.orchestrator.clients import Stages
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.single.backend import Backend, call_context
from services.orchestrator.edge.single.chat_request import ChatRequest
from services.orchestrator.edge.single.http import Streamed, read_json, while_connected
from services.orchestrator.ids import new_id

PARAMS = {
    "generate.text": "messages",
    "config.instructions": "messages",
    "max_output_tokens": "max_completion_tokens",
    "tool_choice.name": "tool_choice",
    "tool_choice.mode": "tool_choice",
}

Json = dict[str, Any]


@dataclass(slots=True)
class _Answer:
    """What every object of one answer says, and how the answer ended."""

    model: str
    id: str = field(default_factory=lambda: new_id("chatcmpl"))
    created: int = field(default_factory=lambda: int(time.time()))
    calls: int = 0

    def object(self, kind: str, **fields: Any) -> Json:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model} | fields

    def chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self.object("chat.completion.chunk", choices=[choice])

    def finish_reason(self, finished: llm_pb2.Finished) -> str:
        if finished.reason == llm_pb2.Finished.REASON_LENGTH:
            return "length"
        return "tool_calls" if self.calls else "stop"


async def create_completion(request: Request, backend: Backend) -> Response:
    """One answer to a conversation."""
    wish = await read_json(request, ChatRequest, backend.settings)
    config, words = wish.question()
    events = answer(backend.stages, call_context("chat"), config, words)
    made = _Answer(wish.model)
    if not wish.stream:
        return JSONResponse(await while_connected(request.receive, _whole(made, events)))
    try:
        first = await while_connected(request.receive, anext(events))
    except BaseException:
        await events.aclose()
        raise
    usage = wish.stream_options is not None and wish.stream_options.include_usage
    opening = _sse(made.chunk({"role": "assistant", "content": ""}))
    rest = _stream(made, first, events, include_usage=usage)
    return Streamed(opening, rest, "text/event-stream", backend.settings.session_idle_timeout_s, _UNBUFFERED)


# Proxies would else hold the events back.
_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def answer(
    stages: Stages, context: CallContext, config: llm_pb2.ChatConfig, words: str
) -> AsyncGenerator[llm_pb2.ChatResponse]:
    """The stage's events, `finished` last. Closing the generator frees the stream. Raises StageError."""
    async with stages.chat(context) as call:
        await call.send(llm_pb2.ChatRequest(config=config))
        await call.send(llm_pb2.ChatRequest(generate=llm_pb2.Generate(text=words)))
        await call.finish()
        async for event in call:
            yield event
            if event.WhichOneof("event") == "finished":
                return
    raise StageError(Code.UNAVAILABLE, "STREAM_BROKEN", "the stream ended before the answer", stage="llm")


async def _whole(made: _Answer, events: AsyncGenerator[llm_pb2.ChatResponse]) -> Json:
    text: list[str] = []
    calls: list[Json] = []
    finished = llm_pb2.Finished()
    async with aclosing(events):
        async for event in events:
            match event.WhichOneof("event"):
                case "text_delta":
                    text.append(event.text_delta.text)
                case "tool_call":
                    made.calls += 1
                    calls.append(_call(event.tool_call))
                case "finished":
                    finished = event.finished
    message: Json = {"role": "assistant", "content": "".join(text) or (None if calls else ""), "refusal": None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": made.finish_reason(finished)}
    return made.object("chat.completion", choices=[choice], usage=_usage(finished.usage))


async def _stream(
    made: _Answer,
    first: llm_pb2.ChatResponse,
    events: AsyncGenerator[llm_pb2.ChatResponse],
    *,
    include_usage: bool,
) -> AsyncGenerator[bytes]:
    async with aclosing(events):
        try:
            for piece in _chunks(made, first, include_usage=include_usage):
                yield piece
            async for event in events:
                for piece in _chunks(made, event, include_usage=include_usage):
                    yield piece
        except StageError as error:
            # The status has been sent long ago; clients take this for what it is.
            yield _sse(ApiError.of_stage(error, PARAMS).body)
            return
    yield b"data: [DONE]\n\n"


def _chunks(made: _Answer, event: llm_pb2.ChatResponse, *, include_usage: bool) -> list[bytes]:
    match event.WhichOneof("event"):
        case "text_delta":
            return [_sse(made.chunk({"content": event.text_delta.text}))]
        case "tool_call":
            call = {"index": made.calls} | _call(event.tool_call)
            made.calls += 1
            return [_sse(made.chunk({"tool_calls": [call]}))]
        case "finished":
            ended = [_sse(made.chunk({}, made.finish_reason(event.finished)))]
            if include_usage:
                usage = made.object("chat.completion.chunk", choices=[], usage=_usage(event.finished.usage))
                ended.append(_sse(usage))
            return ended
    return []


def _call(call: llm_pb2.ToolCall) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_json}}


def _usage(usage: llm_pb2.Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _sse(data: Json) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
