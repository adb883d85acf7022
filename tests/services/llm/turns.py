"""Turns over a real channel."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import grpc
import grpc.aio
import pytest
from voxfleet.llm.v1 import llm_pb2_grpc
from voxfleet.llm.v1.llm_pb2 import (
    ChatConfig,
    ChatRequest,
    ChatResponse,
    Finished,
    Generate,
    Prefill,
    ToolCall,
    ToolCallDelta,
)

from chassis.context import CallContext
from chassis.errors import StageError
from chassis.grpc_errors import from_rpc_error

Call = grpc.aio.StreamStreamCall[ChatRequest, ChatResponse]
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a stream was answered."""

    deltas: tuple[str, ...]
    tool_call_deltas: tuple[ToolCallDelta, ...]
    tool_calls: tuple[ToolCall, ...]
    finished: Finished

    @property
    def text(self) -> str:
        return "".join(self.deltas)


def config(**fields: object) -> ChatRequest:
    """A config at temperature 0 with short answers, unless `fields` say otherwise."""
    told = {"instructions": "You are a helpful assistant.", "temperature": 0.0, "max_output_tokens": 24, **fields}
    return ChatRequest(config=ChatConfig(**told))  # type: ignore[arg-type]


def prefill(text: str) -> ChatRequest:
    return ChatRequest(prefill=Prefill(text=text))


def generate(text: str) -> ChatRequest:
    return ChatRequest(generate=Generate(text=text))


async def send(requests: Sequence[ChatRequest]) -> AsyncIterator[ChatRequest]:
    for request in requests:
        yield request


def open_call(channel: grpc.aio.Channel, *requests: ChatRequest, session_id: str = "") -> Call:
    """A stream that has been sent `requests` and half-closed."""
    stub: llm_pb2_grpc.LanguageModelServiceAsyncStub = llm_pb2_grpc.LanguageModelServiceStub(channel)
    metadata = CallContext(session_id=session_id).to_metadata()
    call: Call = stub.Chat(send(requests), metadata=metadata)
    return call


async def responses(call: Call) -> list[ChatResponse]:
    async with asyncio.timeout(TIMEOUT_S):
        return [response async for response in call]


async def ask(channel: grpc.aio.Channel, *requests: ChatRequest, session_id: str = "") -> Answer:
    """The whole answer; its last message must be the only `finished`."""
    received = await responses(open_call(channel, *requests, session_id=session_id))
    kinds = [response.WhichOneof("event") for response in received]
    assert kinds.count("finished") == 1
    assert kinds[-1] == "finished"
    return Answer(
        tuple(response.text_delta.text for response in received if response.HasField("text_delta")),
        tuple(response.tool_call_delta for response in received if response.HasField("tool_call_delta")),
        tuple(response.tool_call for response in received if response.HasField("tool_call")),
        received[-1].finished,
    )


async def refused(channel: grpc.aio.Channel, *requests: ChatRequest) -> StageError:
    """The error that the stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await responses(open_call(channel, *requests))
    return from_rpc_error(caught.value, "llm")
