"""gRPC in front of an engine."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc.aio
from voxfleet.llm.v1 import llm_pb2, llm_pb2_grpc

from chassis import context as call_context
from chassis.streams import read_config, read_rest
from services.llm.chat import Event, Finished, FinishReason, TextDelta, ToolCall, ToolCallDelta
from services.llm.config import parse
from services.llm.engines.base import Engine
from services.llm.settings import Settings

REASONS: Mapping[FinishReason, llm_pb2.Finished.Reason.ValueType] = {
    FinishReason.STOP: llm_pb2.Finished.REASON_STOP,
    FinishReason.LENGTH: llm_pb2.Finished.REASON_LENGTH,
    FinishReason.TOOL_CALLS: llm_pb2.Finished.REASON_TOOL_CALLS,
}


class LanguageModelServicer(llm_pb2_grpc.LanguageModelServiceServicer):
    """`LanguageModelService`: one stream is one turn. What a stream sends after its generate is not read."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    async def Chat(
        self,
        request_iterator: AsyncIterator[llm_pb2.ChatRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[llm_pb2.ChatResponse]:
        """See the proto."""
        first = await read_config(request_iterator, self._settings.idle_timeout_s)
        chat = parse(first.config, self._engine.model, self._settings)
        session = await self._engine.open(chat, call_context.current.get().session_id)
        try:
            async for kind, request in read_rest(request_iterator, self._settings.idle_timeout_s):
                if kind == "prefill":
                    session.prefill(request.prefill.text)
                    continue
                async for event in session.answer(request.generate.text):
                    yield to_response(event)
                return
        finally:
            session.close()


def to_response(event: Event) -> llm_pb2.ChatResponse:
    """The event as the wire has it."""
    match event:
        case TextDelta(text):
            return llm_pb2.ChatResponse(text_delta=llm_pb2.TextDelta(text=text))
        case ToolCallDelta(id_, name, arguments_delta):
            delta = llm_pb2.ToolCallDelta(call_id=id_, name=name, arguments_delta=arguments_delta)
            return llm_pb2.ChatResponse(tool_call_delta=delta)
        case ToolCall(id_, name, arguments_json):
            call = llm_pb2.ToolCall(id=id_, name=name, arguments_json=arguments_json)
            return llm_pb2.ChatResponse(tool_call=call)
        case Finished(reason, input_tokens, cached_tokens, output_tokens):
            usage = llm_pb2.Usage(input_tokens=input_tokens, cached_tokens=cached_tokens, output_tokens=output_tokens)
            return llm_pb2.ChatResponse(finished=llm_pb2.Finished(reason=REASONS[reason], usage=usage))
