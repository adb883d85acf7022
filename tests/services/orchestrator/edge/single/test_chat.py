"""`/v1/chat/completions` and `/v1/models` through OpenAI's own client, stages scripted."""

import asyncio
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from voxfleet.llm.v1 import llm_pb2

from chassis.errors import Code, StageError
from tests.services.orchestrator.edge.single.clients import freed, openai_client, serving
from tests.support.edge import connected, scripted_edge
from tests.support.scripted import Script

ASK: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What time is it?"},
]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
CALL = llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city": "Paris"}')


async def test_a_question_is_answered_with_the_tokens_it_took() -> None:
    script = Script(replies=["**It** is noon."])
    async with openai_client(script) as client:
        answer = await client.chat.completions.create(model="gpt-5", messages=ASK, temperature=0, max_tokens=50)
    assert answer.model == "gpt-5"
    assert answer.choices[0].message.content == "**It** is noon."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (10, 3, 13)
    assert script.asked == ["What time is it?"]
    assert (script.chats[0].instructions, script.chats[0].max_output_tokens) == ("Be brief.", 50)


async def test_a_streamed_answer_comes_word_by_word_and_ends_with_the_usage() -> None:
    async with openai_client(Script(replies=["It is noon."])) as client:
        stream = await client.chat.completions.create(
            model="gpt-5", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert texts == ["", "It ", "is ", "noon.", None]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 13


async def test_tools_are_called_and_their_results_answered() -> None:
    script = Script(replies=["", "It rains."], calls=[CALL])
    async with openai_client(script) as client:
        create = client.chat.completions.create
        asked = await create(model="m", messages=ASK, tools=[WEATHER], tool_choice="required")
        choice = asked.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        assert choice.message.tool_calls is not None
        call = choice.message.tool_calls[0]
        assert call.type == "function"
        assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city": "Paris"}')
        script.calls.clear()
        made: Any = choice.message.model_dump()
        result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
        answered = await create(model="m", messages=[*ASK, made, result], tools=[WEATHER])
    assert answered.choices[0].message.content == "It rains."
    assert script.chats[0].tool_choice.mode == llm_pb2.ToolChoice.MODE_REQUIRED
    assert [message.role for message in script.chats[1].history] == [
        llm_pb2.ROLE_USER,
        llm_pb2.ROLE_ASSISTANT,
        llm_pb2.ROLE_TOOL,
    ]
    assert script.asked == ["What time is it?", ""]


async def test_a_streamed_tool_call_is_put_together_by_the_client() -> None:
    second = llm_pb2.ToolCall(id="call_2", name="weather", arguments_json="{}")
    async with (
        openai_client(Script(replies=[""], calls=[CALL, second])) as client,
        client.chat.completions.stream(model="m", messages=ASK, tools=[WEATHER]) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.choices[0].message.tool_calls is not None
    assert [call.id for call in final.choices[0].message.tool_calls] == ["call_1", "call_2"]


async def test_a_client_that_leaves_frees_the_stream_streamed_or_not() -> None:
    script = Script(first_token_delay_s=30, replies=[" ".join(["word"] * 500)])
    async with openai_client(script) as client:
        for streamed in (False, True):
            asking = asyncio.create_task(client.chat.completions.create(model="m", messages=ASK, stream=streamed))
            await serving(script, "llm")
            asking.cancel()
            await freed(script)
        script.first_token_delay_s, script.token_delay_s = 0, 0.02
        stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        await anext(aiter(stream))
        await stream.close()
        await freed(script)


async def test_a_client_that_leaves_while_nothing_is_sent_frees_the_stream() -> None:
    script = Script(token_delay_s=30)
    async with openai_client(script) as client:
        stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        await anext(aiter(stream))
        await stream.close()
        await freed(script)


async def test_an_answer_that_breaks_off_ends_with_an_error() -> None:
    script = Script(token_delay_s=0.5, replies=["one two three"])
    async with openai_client(script, llm_deadline_s=0.3) as client:
        stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        with pytest.raises(openai.APIError) as broken:
            async for _ in stream:
                pass
    assert broken.value.code == "deadline_exceeded"


@pytest.mark.parametrize(
    ("wish", "param", "message"),
    [
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "required"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role", "'user'"),
        ({"temperature": 9}, "temperature", "less than or equal to 2"),
        ({"n": 2}, "n", "1"),
        ({"extra_body": {"best_of": 3}}, "best_of", "not permitted"),
    ],
)
async def test_a_bad_field_is_named(wish: dict[str, Any], param: str, message: str) -> None:
    async with openai_client(Script()) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(**({"model": "m", "messages": ASK} | wish))
    assert refused.value.param == param
    assert message in str(refused.value)


async def test_a_body_that_is_no_json_is_refused_and_one_that_is_too_large() -> None:
    async with scripted_edge(Script()) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        path = "/v1/chat/completions"
        for body in (b"hello", b"", b"[" * 100_000, b'{"model": "\\ud800"}'):
            assert (await http.post(path, content=body)).json()["error"]["code"] == "invalid_json"
        listed = await http.post(path, content=b"[]")
        assert (listed.status_code, listed.json()["error"]["type"]) == (400, "invalid_request_error")
        assert (await http.post(path, content=bytes(1_000_001))).status_code == 413
        assert (await http.get(path)).status_code == 405


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    async with scripted_edge(Script(), session_idle_timeout_s=0.2) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nContent-Length: 99\r\n\r\n{{".encode())
        async with asyncio.timeout(5):
            assert b"408" in await reader.readline()
        writer.close()


async def test_a_stage_that_is_down_or_fails_has_its_status() -> None:
    script = Script(failures={"llm": StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")})
    async with openai_client(script) as client:
        create = client.chat.completions.create
        for streamed in (False, True):
            with pytest.raises(openai.InternalServerError) as down:
                await create(model="m", messages=ASK, stream=streamed)
            assert (down.value.status_code, down.value.code) == (503, "gone")
        script.failures["llm"] = StageError(Code.INTERNAL, "TOOL_CALL_MALFORMED", "no call")
        with pytest.raises(openai.InternalServerError) as failed:
            await create(model="m", messages=ASK)
        assert (failed.value.status_code, failed.value.type) == (500, "server_error")
        exceeded = StageError.invalid("generate.text", "a prompt of at most 9 tokens", reason="CONTEXT_EXCEEDED")
        script.failures["llm"] = exceeded
        with pytest.raises(openai.BadRequestError) as long:
            await create(model="m", messages=ASK)
        assert (long.value.code, long.value.param) == ("context_exceeded", "messages")


async def test_one_request_too_many_is_told_when_to_come_again() -> None:
    script = Script(first_token_delay_s=30)
    async with scripted_edge(script, max_requests=1) as address, connected(address, "/ws/tts") as holder:
        await holder.until("ready")
        async with httpx.AsyncClient(base_url=f"http://{address}") as http:
            refused = await http.post("/v1/chat/completions", json={"model": "m", "messages": ASK})
        assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
        assert refused.headers["Retry-After"] == "1"


async def test_the_models_are_listed_and_found_by_name() -> None:
    async with openai_client(Script()) as client:
        listed = await client.models.list()
        assert [model.id for model in listed.data] == ["voxfleet", "voxfleet-stt", "voxfleet-tts"]
        assert (await client.models.retrieve("voxfleet")).owned_by == "voxfleet"
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.models.retrieve("gpt-4o")
        assert unknown.value.code == "model_not_found"
