"""The engine over real HTTP: another voxfleet's edge behind it, and a server that misbehaves as told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError
from voxfleet.llm.v1 import llm_pb2

from chassis.errors import Code, StageError
from services.llm.chat import Chat, Event, Finished, FinishReason, Message, Role, TextDelta, Tool, ToolCall
from services.llm.engines.openai_server import OpenAiServerEngine
from services.llm.settings import Settings
from services.llm.stage import build
from tests.services.llm.turns import ask, config, generate, open_call
from tests.support.edge import scripted_edge
from tests.support.scripted import Script
from tests.support.scripted_http import Exchange, Handler, Request, ScriptedHttp, models, scripted_http
from tests.support.server import serving

CHAT = Chat("Be brief.", (), (), frozenset(), temperature=0, top_p=1, max_output_tokens=40)
TOOLS = (Tool("get_time", "The time.", {"type": "object", "properties": {}}),)
DONE = b"data: [DONE]\n\n"


def sse(reason: str | None = None, **delta: Any) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': reason}]})}\n\n".encode()


def saying(*words: str) -> Handler:
    async def handle(request: Request, exchange: Exchange) -> None:
        await exchange.begin()
        for word in words:
            await exchange.send(sse(content=word))
        await exchange.send(sse("stop") + DONE)
        await exchange.end()

    return handle


def refusing(status: int, message: str = "", **fields: Any) -> Handler:
    async def handle(request: Request, exchange: Exchange) -> None:
        await exchange.answer({"error": {"message": message, **fields}}, status)

    return handle


def settings_for(address: str, **told: Any) -> Settings:
    defaults: dict[str, Any] = {"engine": "openai_server", "port": 0, "upstream_probe_s": 0.05}
    return Settings(upstream_url=address, **defaults | told)


@asynccontextmanager
async def engine_for(script: ScriptedHttp, **told: Any) -> AsyncIterator[OpenAiServerEngine]:
    engine = OpenAiServerEngine(settings_for(script.address, **told))
    try:
        async with asyncio.timeout(5):
            await engine.start()
        yield engine
    finally:
        await engine.close()


async def events_of(engine: OpenAiServerEngine, chat: Chat = CHAT, words: str = "Hi") -> list[Event]:
    session = await engine.open(chat, "")
    try:
        async with asyncio.timeout(5):
            return [event async for event in session.answer(words)]
    finally:
        session.close()


async def test_a_turn_is_answered_by_another_voxfleet() -> None:
    script = Script(replies=["It is noon. The sun is high."])
    async with scripted_edge(script) as address:
        settings = settings_for(f"http://{address}/v1")
        async with serving(await build(settings), settings) as channel:
            history = [
                llm_pb2.Message(role=llm_pb2.ROLE_USER, text="Hello"),
                llm_pb2.Message(role=llm_pb2.ROLE_ASSISTANT, text="Hello, how are you?"),
            ]
            answer = await ask(
                channel, config(instructions="Be brief.", history=history, max_output_tokens=50), generate("What time?")
            )
            assert answer.text == "It is noon. The sun is high."
            assert len(answer.deltas) > 3
            assert answer.finished.reason == llm_pb2.Finished.REASON_STOP
            assert (answer.finished.usage.input_tokens, answer.finished.usage.cached_tokens) == (10, 4)
    told = script.chats[0]
    assert told.instructions == "Be brief."
    assert [message.text for message in told.history] == ["Hello", "Hello, how are you?"]
    assert told.max_output_tokens == 50
    assert script.asked == ["What time?"]


async def test_a_tool_is_called_through_another_voxfleet() -> None:
    call = llm_pb2.ToolCall(id="call_7", name="get_time", arguments_json='{"zone": "UTC"}')
    async with scripted_edge(Script(replies=[" "], calls=[call])) as address:
        engine = OpenAiServerEngine(settings_for(f"http://{address}/v1", upstream_model="any"))
        try:
            await engine.start()
            *deltas, whole, finished = await events_of(engine, replace(CHAT, tools=TOOLS))
        finally:
            await engine.close()
    assert whole == ToolCall("call_7", "get_time", '{"zone": "UTC"}')
    assert deltas
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.TOOL_CALLS


async def test_answers_share_a_connection_and_send_the_key_and_what_else_is_told() -> None:
    told = {
        "upstream_key": "sk-secret",
        "upstream_headers": '{"X-Team": "voice"}',
        "upstream_body": '{"chat_template_kwargs": {"enable_thinking": false}}',
    }
    async with scripted_http(models=models, chat=saying("No", "on.")) as script, engine_for(script, **told) as engine:
        assert engine.model == "tiny"
        for _ in range(4):
            assert (await events_of(engine))[:2] == [TextDelta("No"), TextDelta("on.")]
        assert script.connections == 1
        request = script.asked("/v1/chat/completions")[0]
        assert request.headers["authorization"] == "Bearer sk-secret"
        assert request.headers["x-team"] == "voice"
        assert request.json["chat_template_kwargs"] == {"enable_thinking": False}
        assert request.json["model"] == "tiny"
        assert engine.load().used == 0


@pytest.mark.parametrize("leave", ["close", "cancel"])
async def test_a_turn_that_is_left_closes_its_request_at_once(leave: str) -> None:
    left = asyncio.Event()

    async def talk(request: Request, exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.send(sse(content="Once"))
        await exchange.client_left()
        left.set()

    async with scripted_http(models=models, chat=talk) as script:
        settings = settings_for(script.address)
        stage = await build(settings)
        assert isinstance(stage.engine, OpenAiServerEngine)
        async with serving(stage, settings) as channel, asyncio.timeout(5):
            if leave == "cancel":
                call = open_call(channel, config(), generate("Tell me a story"))
                await anext(aiter(call))
                call.cancel()
            else:
                session = await stage.engine.open(CHAT, "")
                await anext(aiter(session.answer("Tell me a story")))
                assert stage.engine.load().used == 1
                session.close()
            await left.wait()
            assert stage.engine.load().used == 0


@pytest.mark.parametrize(
    ("handler", "code", "reason"),
    [
        (refusing(401, "Incorrect API key: sk-12"), Code.FAILED_PRECONDITION, "UPSTREAM_KEY_REFUSED"),
        (refusing(404, "no such model", code="model_not_found"), Code.FAILED_PRECONDITION, "UPSTREAM_NOT_FOUND"),
        (refusing(429, "slow down"), Code.RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMITED"),
        (refusing(400, "top_k: unknown"), Code.INVALID_ARGUMENT, "UPSTREAM_REFUSED"),
        (refusing(500, "oops"), Code.UNAVAILABLE, "UPSTREAM_FAILED"),
        (
            refusing(400, "This model's maximum context length is 512 tokens."),
            Code.INVALID_ARGUMENT,
            "CONTEXT_EXCEEDED",
        ),
    ],
)
async def test_a_refusal_has_a_clear_reason(handler: Handler, code: Code, reason: str) -> None:
    async with (
        scripted_http(models=models, chat=handler) as script,
        engine_for(script, upstream_retries=0) as engine,
    ):
        with pytest.raises(StageError) as caught:
            await events_of(engine)
        assert (caught.value.code, caught.value.reason) == (code, reason)
        assert "sk-12" not in caught.value.message


async def break_off(exchange: Exchange) -> None:
    await exchange.send(sse(content="It is"))
    await asyncio.sleep(0.05)
    exchange.drop()


async def end_early(exchange: Exchange) -> None:
    await exchange.send(sse(content="It is"))
    await exchange.end()


async def half_json(exchange: Exchange) -> None:
    await exchange.send(sse(content="It is") + b'data: {"choices": [{"del\n\n')
    await exchange.end()


async def garbage(exchange: Exchange) -> None:
    await exchange.send(b"\xff\xfe<html>\n\n" + sse(content="It is"))
    await exchange.send(b"data: \xff\n\n")
    await exchange.client_left()


async def stall(exchange: Exchange) -> None:
    await exchange.send(sse(content="It is"))
    await exchange.client_left()


async def talk_on(exchange: Exchange) -> None:
    while True:
        await exchange.send(sse(content="It is"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (break_off, "UPSTREAM_BROKEN"),
        (end_early, "UPSTREAM_BROKEN"),
        (half_json, "UPSTREAM_MALFORMED"),
        (garbage, "UPSTREAM_MALFORMED"),
        (stall, "UPSTREAM_STALLED"),
        (talk_on, "UPSTREAM_MALFORMED"),
    ],
)
async def test_an_answer_that_breaks_is_told_behind_what_came_and_is_not_asked_again(
    fault: Callable[[Exchange], Any], reason: str
) -> None:
    async def handle(request: Request, exchange: Exchange) -> None:
        await exchange.begin()
        await fault(exchange)

    async with (
        scripted_http(models=models, chat=handle) as script,
        engine_for(script, upstream_between_timeout_s=0.3 if fault is stall else 5) as engine,
    ):
        session = await engine.open(CHAT, "")
        events: list[Event] = []

        async def read() -> None:
            async for event in session.answer("Hi"):
                events.append(event)  # noqa: PERF401  # what came before the error counts

        with pytest.raises(StageError) as caught:
            await asyncio.wait_for(read(), 5)
        session.close()
        assert caught.value.reason == reason
        assert events[0] == TextDelta("It is")
        assert len(script.asked("/v1/chat/completions")) == 1


async def test_an_answer_that_is_no_stream_is_an_error() -> None:
    async def whole(request: Request, exchange: Exchange) -> None:
        await exchange.answer({"choices": [{"message": {"content": "Noon."}}]})

    async with scripted_http(models=models, chat=whole) as script, engine_for(script) as engine:
        with pytest.raises(StageError, match="expected text/event-stream, got application/json"):
            await events_of(engine)


async def test_a_server_that_is_overloaded_for_a_moment_is_asked_again() -> None:
    refusals = [3]

    async def handle(request: Request, exchange: Exchange) -> None:
        refusals[0] -= 1
        await (refusing(503) if refusals[0] > 0 else saying("Noon."))(request, exchange)

    async with scripted_http(models=models, chat=handle) as script, engine_for(script) as engine:
        assert (await events_of(engine))[0] == TextDelta("Noon.")
        assert len(script.asked("/v1/chat/completions")) == 3


async def test_the_older_half_of_a_conversation_gives_way_until_it_fits() -> None:
    async def handle(request: Request, exchange: Exchange) -> None:
        fits = len(request.json["messages"]) <= 5
        await (saying("Noon.") if fits else refusing(400, "prompt", code="context_length_exceeded"))(request, exchange)

    history = tuple(
        message
        for number in range(6)
        for message in (Message(Role.USER, f"Question {number}"), Message(Role.ASSISTANT, f"Answer {number}"))
    )
    async with scripted_http(models=models, chat=handle) as script, engine_for(script) as engine:
        assert (await events_of(engine, replace(CHAT, history=history)))[0] == TextDelta("Noon.")
        asked = [
            [message["content"] for message in request.json["messages"]]
            for request in script.asked("/v1/chat/completions")
        ]
    assert [len(messages) for messages in asked] == [14, 8, 4]
    assert asked[-1] == ["Be brief.", "Question 5", "Answer 5", "Hi"]


async def test_a_model_that_asks_again_for_what_it_was_told_must_answer_in_words() -> None:
    async def handle(request: Request, exchange: Exchange) -> None:
        if request.json["tool_choice"] == "none":
            await saying("Noon.")(request, exchange)
            return
        call = {"index": 0, "id": "b", "function": {"name": "get_time", "arguments": " {}"}}
        await exchange.begin()
        await exchange.send(sse(tool_calls=[call]) + sse("tool_calls") + DONE)
        await exchange.end()

    history = (
        Message(Role.USER, "What time is it?"),
        Message(Role.ASSISTANT, "", (ToolCall("a", "get_time", "{}"),)),
        Message(Role.TOOL, "noon", tool_call_id="a"),
    )
    async with scripted_http(models=models, chat=handle) as script, engine_for(script) as engine:
        events = await events_of(engine, replace(CHAT, history=history, tools=TOOLS), words="")
    assert events == [TextDelta("Noon."), Finished(FinishReason.STOP, 0, 0, 2)]


async def test_prefills_are_requests_for_one_token_where_they_are_wanted() -> None:
    gate = asyncio.Event()

    async def handle(request: Request, exchange: Exchange) -> None:
        if request.json["stream"]:
            await saying("Noon.")(request, exchange)
            return
        await gate.wait()
        await exchange.answer({"choices": []})

    async with scripted_http(models=models, chat=handle) as script, engine_for(script, upstream_prefill=True) as engine:
        session = await engine.open(CHAT, "")
        async with asyncio.timeout(5):
            while not script.asked("/v1/chat/completions"):  # noqa: ASYNC110  # as the server sees it
                await asyncio.sleep(0.005)
            session.prefill("What")
            session.prefill("What time")
            gate.set()
            await session.prefilled()
            _ = [event async for event in session.answer("What time is it?")]
        session.close()
        asked = [
            (request.json["max_tokens"], request.json["messages"][-1]["content"])
            for request in script.asked("/v1/chat/completions")
        ]
    assert asked == [(1, "Be brief."), (1, "What time"), (40, "What time is it?")]


async def test_prefills_are_not_sent_unless_they_are_wanted() -> None:
    async with scripted_http(models=models, chat=saying("Noon.")) as script, engine_for(script) as engine:
        session = await engine.open(CHAT, "")
        session.prefill("What time")
        await session.prefilled()
        session.close()
        assert script.asked("/v1/chat/completions") == []


async def test_an_answer_ends_the_prefill_that_runs() -> None:
    left = asyncio.Event()

    async def handle(request: Request, exchange: Exchange) -> None:
        if request.json["stream"]:
            await saying("Noon.")(request, exchange)
            return
        await exchange.client_left()
        left.set()

    async with scripted_http(models=models, chat=handle) as script, engine_for(script, upstream_prefill=True) as engine:
        session = await engine.open(CHAT, "")
        async with asyncio.timeout(5):
            while not script.asked("/v1/chat/completions"):  # noqa: ASYNC110  # as the server sees it
                await asyncio.sleep(0.005)
            first, *_ = [event async for event in session.answer("Hi")]
            assert first == TextDelta("Noon.")
            await left.wait()
        session.close()


async def test_health_follows_the_server() -> None:
    up = [False]

    async def handle(request: Request, exchange: Exchange) -> None:
        await (models if up[0] else refusing(503))(request, exchange)

    async with scripted_http(models=handle) as script:
        settings = settings_for(script.address)
        stage = await build(settings)
        starting = asyncio.create_task(stage.engine.start())
        await asyncio.sleep(0.2)
        assert not starting.done()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await stage.engine.close()

        up[0] = True
        async with serving(await build(settings), settings) as channel, asyncio.timeout(10):
            health = health_pb2_grpc.HealthStub(channel)
            statuses = aiter(health.Watch(health_pb2.HealthCheckRequest()))
            assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.SERVING
            up[0] = False
            assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.NOT_SERVING
            up[0] = True
            assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.SERVING


async def test_a_key_that_is_refused_keeps_the_engine_from_starting() -> None:
    async with scripted_http(models=refusing(401)) as script:
        with pytest.raises(StageError, match="refused the API key"):
            async with engine_for(script):
                pass


async def test_a_server_without_a_list_of_models_needs_a_name() -> None:
    async with scripted_http(chat=saying("Noon.")) as script:
        with pytest.raises(ValueError, match="VOXFLEET_LLM_UPSTREAM_MODEL"):
            async with engine_for(script):
                pass
        async with engine_for(script, upstream_model="tiny") as engine:
            assert (await events_of(engine))[0] == TextDelta("Noon.")


async def test_an_engine_without_an_address_says_which_setting_is_missing() -> None:
    with pytest.raises(ValueError, match="VOXFLEET_LLM_UPSTREAM_URL"):
        await build(Settings(engine="openai_server"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("upstream_url", "127.0.0.1:8000", "begins with http:// or https://"),
        ("upstream_url", "http://user:sk-secret@host/v1", "without user"),
        ("upstream_key", "sk secret", "without spaces"),
        ("upstream_key_file", "/nowhere/sk-secret-file", "readable text file"),
        ("upstream_headers", '{"X-Key": "sk-secret', "JSON object"),
        ("upstream_headers", '{"X Key": "sk-secret"}', "names and values of HTTP headers"),
        ("upstream_body", '["sk-secret"]', "JSON object, got list"),
    ],
)
def test_a_setting_that_is_wrong_is_told_without_its_secret(name: str, value: str, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**{name: value})  # type: ignore[arg-type]  # as the environment has it
    assert expected in str(caught.value)
    if name in ("upstream_key", "upstream_headers", "upstream_body"):
        assert "secret" not in str(caught.value)


def test_a_key_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-secret\n")
    settings = Settings(upstream_key_file=str(file))
    assert settings.upstream_request_headers == {"Authorization": "Bearer sk-secret"}
    assert "secret" not in repr(settings)


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("one")
    with pytest.raises(ValueError, match="got both"):
        OpenAiServerEngine(settings_for("http://127.0.0.1:1/v1", upstream_key="two", upstream_key_file=str(file)))


def test_no_weights_are_wanted_for_it() -> None:
    assert Settings(engine="openai_server").models == ()
