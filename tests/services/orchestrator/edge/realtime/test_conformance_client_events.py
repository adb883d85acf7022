"""Every client event of the Realtime protocol with good and bad values of every field, over a real WebSocket.

A bad value is an `error` that names the field and tells the client's `event_id` back; the session goes on.
"""

import base64
import copy
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Union

import pytest
from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.realtime import RealtimeClientEvent, ResponseItemReference
from pydantic import BaseModel, TypeAdapter

from services.orchestrator import noise_reduction
from services.orchestrator.edge.realtime.beta import BetaEvent
from services.orchestrator.edge.realtime.client_events import ClientEvent
from tests.support.conformance import Referee
from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script, silence

Json = dict[str, Any]
GA_PATH, BETA_PATH = "/v1/realtime", "/ws/voice?model=gpt-4o-realtime-preview"
MISSING = object()
SILENCE = base64.b64encode(silence(0.1, 24_000)).decode()
TOOL = {"type": "function", "name": "weather", "description": "…", "parameters": {"type": "object"}}
METADATA_TOO_LONG: list[Json] = [{"k" * 65: "v"}, {"k": "v" * 513}, {str(n): "v" for n in range(17)}, {"k": 1}]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of client event: good ones, each answered by `answer` (None: by nothing), and what is bad in the first.

    `bad` is values by the field's path; the field that is named, where it is another, stands behind the value.
    """

    good: list[Json]
    answer: str | None
    bad: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def type(self) -> str:
        kind: str = self.good[0]["type"]
        return kind


@dataclass(frozen=True, slots=True)
class Named:
    """A bad value whose fault is told under another name, or with a code of its own."""

    value: Any
    param: str | None = None
    code: str | None = None


def text_item(role: str, kind: str, **fields: Any) -> Json:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": "hello"}], **fields}


def update(**session: Any) -> Json:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def item_create(item: Json, **fields: Any) -> Json:
    return {"type": "conversation.item.create", "item": item, **fields}


def respond(**response: Any) -> Json:
    return {"type": "response.create", "response": {"output_modalities": ["text"], **response}}


def transcribed(audio: Json) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_audio", **audio}]}


CALL = {"type": "function_call", "name": "weather", "call_id": "call_1", "arguments": '{"city": "Paris"}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
COMMON: dict[str, list[Any]] = {
    "event_id": [Named(5, code="invalid_value"), Named("x" * 513, code="invalid_value")],
    "type": [
        Named(5, code="invalid_value"),
        Named("no.such.event", code="invalid_value"),
        Named(MISSING, code="missing_required_parameter"),
    ],
}
STATUS_BAD = ["done", 5]
ID_BAD = ["", "x" * 65, 5]
FORMAT_BAD: list[Any] = [Named({}, ".type"), Named({"type": "audio/opus"}, ".type"), "pcm16"]
VOICE_BAD = ["", "x" * 65, 5, "nobody", Named({"id": ""}, ".id"), Named({}, ".id"), {"id": "nobody"}]

SESSION = Case(
    [
        update(
            model="gpt-realtime",
            instructions="Be brief.",
            output_modalities=["audio"],
            tools=[TOOL],
            tool_choice={"type": "function", "name": "weather"},
            max_output_tokens=50,
            tracing="auto",
            include=["item.input_audio_transcription.logprobs"],
            truncation="auto",
            temperature=0.5,
            audio={
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24_000},
                    "transcription": {"model": "whisper-1", "language": "en", "prompt": "Paris"},
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.4,
                        "prefix_padding_ms": 200,
                        "silence_duration_ms": 300,
                        "idle_timeout_ms": 6_000,
                        "create_response": True,
                        "interrupt_response": False,
                    },
                    "noise_reduction": None,
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": "anna", "speed": 1.2},
            },
        ),
        update(),
        update(output_modalities=["text"], max_output_tokens="inf", tool_choice="none", tools=[], tracing=None),
        update(tool_choice="required", audio={"input": {"turn_detection": None, "transcription": None}}),
        update(
            tool_choice="auto",
            audio={
                "input": {
                    "format": {"type": "audio/pcma"},
                    "turn_detection": {
                        "type": "semantic_vad",
                        "eagerness": "high",
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {"voice": "marin"},
            },
        ),
        update(audio={"output": {"voice": {"id": "bert"}, "format": {"type": "audio/pcm", "rate": 24_000}}}),
        *(
            [update(audio={"input": {"noise_reduction": {"type": kind}}}) for kind in ("near_field", "far_field")]
            if noise_reduction.available()
            else []
        ),
    ],
    "session.updated",
    {
        **COMMON,
        "session": [MISSING, 5],
        "session.type": [MISSING, "transcription"],
        "session.model": [5],
        "session.instructions": [5, "x" * 32_001],
        "session.output_modalities": [[], "audio", ["audio", "text"], Named(["video"], ".0")],
        "session.tools": [5, [TOOL, TOOL], [TOOL] * 65],
        "session.tools.0.type": [MISSING, "mcp"],
        "session.tools.0.name": [MISSING, "", "two words", "x" * 65, 5],
        "session.tools.0.description": [5],
        "session.tools.0.parameters": [5, {"type": "array"}],
        "session.tool_choice": ["always", 5],
        "session.tool_choice.type": ["mcp", MISSING],
        "session.tool_choice.name": [MISSING, 5, "timer"],
        "session.max_output_tokens": [0, 4_097, "all", 1.5],
        "session.include": ["logprobs", Named([5], ".0")],
        "session.temperature": [-0.1, 2.1, "hot"],
        "session.audio": [5],
        "session.audio.input": [5],
        "session.audio.input.format": FORMAT_BAD,
        "session.audio.input.format.type": ["audio/mp3", MISSING],
        "session.audio.input.format.rate": [16_000, "24000"],
        "session.audio.input.transcription": [5],
        "session.audio.input.transcription.model": [5],
        "session.audio.input.transcription.language": ["English", "", 5],
        "session.audio.input.transcription.prompt": ["x" * 1_001, 5],
        "session.audio.input.turn_detection": [5, Named({}, ".type"), Named({"type": "none"}, ".type")],
        "session.audio.input.turn_detection.type": ["client_vad", MISSING],
        "session.audio.input.turn_detection.threshold": [-0.1, 1.1, "high"],
        "session.audio.input.turn_detection.prefix_padding_ms": [-1, 5_001, "long", 0.5],
        "session.audio.input.turn_detection.silence_duration_ms": [-1, 10_001, "long"],
        "session.audio.input.turn_detection.idle_timeout_ms": [999, 600_001, "long"],
        "session.audio.input.turn_detection.create_response": ["perhaps", 5],
        "session.audio.input.turn_detection.interrupt_response": ["perhaps", 5],
        "session.audio.input.turn_detection.eagerness": [Named("low", code="unknown_parameter")],
        "session.audio.input.noise_reduction": [5, Named({"type": "odd"}, ".type"), Named({}, ".type")],
        "session.audio.output": [5],
        "session.audio.output.format": FORMAT_BAD,
        "session.audio.output.format.type": ["audio/mp3", MISSING],
        "session.audio.output.format.rate": [Named(24_000, code="unknown_parameter")],
        "session.audio.output.voice": VOICE_BAD,
        "session.audio.output.speed": [0.2, 1.6, "fast"],
        "session.prompt": [Named({"id": "p"}, code="unknown_parameter")],
        "session.parallel_tool_calls": [Named(True, code="unknown_parameter")],
        "session.reasoning": [Named({}, code="unknown_parameter")],
    },
)
SEMANTIC = Case(
    [SESSION.good[4]],
    "session.updated",
    {
        "session.audio.input.turn_detection.eagerness": ["extreme", 5],
        "session.audio.input.turn_detection.create_response": ["perhaps"],
        "session.audio.input.turn_detection.interrupt_response": ["perhaps"],
        "session.audio.input.turn_detection.threshold": [Named(0.5, code="unknown_parameter")],
    },
)
APPEND = Case(
    [{"type": "input_audio_buffer.append", "audio": SILENCE}, {"type": "input_audio_buffer.append", "audio": ""}],
    None,
    {
        **COMMON,
        "audio": [
            MISSING,
            5,
            Named("*", code="invalid_audio"),
            Named("AAAA", code="invalid_audio"),
            Named("A" * (21 << 20), code="audio_too_large"),
        ],
    },
)
COMMIT = Case([{"type": "input_audio_buffer.commit"}], "input_audio_buffer.committed", COMMON)
CLEAR = Case([{"type": "input_audio_buffer.clear"}], "input_audio_buffer.cleared", COMMON)
OUTPUT_CLEAR = Case([{"type": "output_audio_buffer.clear"}], "error", COMMON)
MESSAGE = Case(
    [
        item_create(text_item("user", "input_text", id="mine", object="realtime.item", status="completed")),
        item_create(text_item("system", "input_text"), previous_item_id="root"),
        item_create(text_item("assistant", "output_text"), previous_item_id="mine"),
    ],
    "conversation.item.added",
    {
        **COMMON,
        "previous_item_id": [5, Named("nope", code="item_not_found")],
        "item": [MISSING, 5, Named({}, ".type")],
        "item.id": [*ID_BAD, Named("mine", code="item_id_taken")],
        "item.object": ["item", 5],
        "item.type": [MISSING, "image", "mcp_call"],
        "item.role": [MISSING, "developer", 5],
        "item.status": STATUS_BAD,
        "item.content": [MISSING, [], 5, [{"type": "input_text", "text": "x"}] * 33],
        "item.content.0": [5],
        "item.content.0.type": [MISSING, "input_image", "output_audio", 5],
        "item.content.0.text": [MISSING, 5, "x" * 100_001],
    },
)
RECORDING = Case(
    [
        item_create(transcribed({"audio": SILENCE})),
        item_create(transcribed({"audio": SILENCE, "transcript": "hello"})),
        item_create(transcribed({"transcript": "hello"})),
    ],
    "conversation.item.added",
    {
        "item.role": [Named("system", "item.content.0.type"), Named("assistant", "item.content.0.type")],
        "item.content.0.audio": [
            MISSING,
            5,
            Named("*", code="invalid_audio"),
            Named("AAAA", code="invalid_audio"),
            Named("", code="invalid_audio"),
            Named("AAAA" * 1_000_000, code="audio_too_long"),
        ],
        "item.content.0.transcript": [5, "x" * 100_001],
    },
)
FUNCTION_CALL = Case(
    [item_create(CALL | {"id": "call_item", "object": "realtime.item", "status": "completed"})],
    "conversation.item.added",
    {
        "item.id": ID_BAD,
        "item.object": ["item"],
        "item.status": STATUS_BAD,
        "item.name": [MISSING, "", "two words", 5],
        "item.call_id": [MISSING, "", "x" * 257, 5],
        "item.arguments": [MISSING, "", "{", "[1]", "5", 5, '{"a": "%s"}' % ("x" * 100_000)],
    },
)
FUNCTION_OUTPUT = Case(
    [item_create(OUTPUT | {"id": "output_item", "object": "realtime.item", "status": "completed"})],
    "conversation.item.added",
    {
        "item.id": ID_BAD,
        "item.object": ["item"],
        "item.status": STATUS_BAD,
        "item.call_id": [MISSING, "", "x" * 257, 5],
        "item.output": [MISSING, 5, "x" * 100_001],
    },
)
UNKNOWN_ITEM: list[Any] = [MISSING, 5, Named("nope", code="item_not_found")]
RETRIEVE = Case(
    [{"type": "conversation.item.retrieve", "item_id": "first"}],
    "conversation.item.retrieved",
    {**COMMON, "item_id": UNKNOWN_ITEM},
)
DELETE = Case(
    [{"type": "conversation.item.delete", "item_id": "first"}],
    "conversation.item.deleted",
    {**COMMON, "item_id": [*UNKNOWN_ITEM, Named("first", code="item_not_found")]},
)
TRUNCATE = Case(
    [{"type": "conversation.item.truncate", "item_id": "spoken", "content_index": 0, "audio_end_ms": 40}],
    "conversation.item.truncated",
    {
        **COMMON,
        "item_id": [*UNKNOWN_ITEM, Named("first", code="item_not_truncatable")],
        "content_index": [MISSING, 1, -1, "0"],
        "audio_end_ms": [MISSING, -1, 0.5, "late"],
    },
)
OWN_INPUT = [
    text_item("user", "input_text", id="own", object="realtime.item", status="completed"),
    CALL,
    OUTPUT,
    {"type": "item_reference", "id": "first"},
    transcribed({"transcript": "hello"}),
]
RESPONSE = Case(
    [
        respond(
            instructions="Be brief.",
            audio={"output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "anna", "speed": 1.1}},
            temperature=0.5,
            max_output_tokens=20,
            tools=[TOOL],
            tool_choice={"type": "function", "name": "weather"},
            conversation="none",
            input=OWN_INPUT,
            metadata={"topic": "mood"},
        ),
        {"type": "response.create"},
        respond(conversation="auto", max_output_tokens="inf", tools=[], tool_choice="none", input=[], metadata={}),
        respond(
            output_modalities=["audio"], audio={"output": {"voice": {"id": "bert"}, "format": {"type": "audio/pcma"}}}
        ),
    ],
    "response.done",
    {
        **COMMON,
        "response": [5],
        "response.instructions": [5, "x" * 32_001],
        "response.output_modalities": [[], "audio", ["audio", "text"], Named(["video"], ".0")],
        "response.audio": [5],
        "response.audio.input": [Named({}, code="unknown_parameter")],
        "response.audio.output": [5],
        "response.audio.output.format": FORMAT_BAD,
        "response.audio.output.format.type": ["audio/mp3", MISSING],
        "response.audio.output.format.rate": [16_000],
        "response.audio.output.voice": VOICE_BAD,
        "response.audio.output.speed": [0.2, 1.6, "fast"],
        "response.temperature": [-0.1, 2.1, "hot"],
        "response.max_output_tokens": [0, 4_097, "all"],
        "response.tools": [5, [TOOL, TOOL], [TOOL] * 65],
        "response.tools.0.type": [MISSING, "mcp"],
        "response.tools.0.name": [MISSING, "two words"],
        "response.tools.0.description": [5],
        "response.tools.0.parameters": [5, {"type": "array"}],
        "response.tool_choice": ["always", 5],
        "response.tool_choice.type": [MISSING, "mcp"],
        "response.tool_choice.name": [MISSING, 5, "timer"],
        "response.conversation": ["conv_1", 5],
        "response.input": [5, [{"type": "item_reference", "id": "first"}] * 257],
        "response.input.0": [5],
        "response.input.0.id": ID_BAD,
        "response.input.0.object": ["item"],
        "response.input.0.type": [MISSING, "image"],
        "response.input.0.role": [MISSING, "developer"],
        "response.input.0.status": STATUS_BAD,
        "response.input.0.content": [MISSING, []],
        "response.input.0.content.0.type": [MISSING, "input_image"],
        "response.input.0.content.0.text": [MISSING, 5],
        "response.input.1.name": [MISSING, "two words"],
        "response.input.1.call_id": [MISSING, ""],
        "response.input.1.arguments": [MISSING, "{"],
        "response.input.2.call_id": [MISSING, ""],
        "response.input.2.output": [MISSING, 5],
        "response.input.3.id": UNKNOWN_ITEM,
        "response.input.4.content.0.audio": [5, SILENCE],
        "response.input.4.content.0.transcript": [Named(MISSING, "response.input.4.content.0.audio"), 5],
        "response.metadata": [5],
        "response.prompt": [Named({"id": "p"}, code="unknown_parameter")],
        "response.parallel_tool_calls": [Named(True, code="unknown_parameter")],
        "response.reasoning": [Named({}, code="unknown_parameter")],
    },
)
CANCEL = Case(
    [{"type": "response.cancel", "response_id": "running"}],
    "response.done",
    {**COMMON, "response_id": [5, Named("resp_other", code="response_cancel_not_active")]},
)
PLAYOUT = Case(
    [{"type": "voxfleet.playout.position", "item_id": "spoken", "audio_ms": 20.0, "playing": False}],
    None,
    {
        **COMMON,
        "item_id": [MISSING, *ID_BAD],
        "audio_ms": [MISSING, -1, "late"],
        "playing": ["perhaps"],
    },
)
CASES = [
    *(SESSION, SEMANTIC, APPEND, COMMIT, CLEAR, OUTPUT_CLEAR, MESSAGE, RECORDING, FUNCTION_CALL, FUNCTION_OUTPUT),
    *(RETRIEVE, DELETE, TRUNCATE, RESPONSE, CANCEL, PLAYOUT),
]
# Bad only once the good event was taken.
AFTERWARDS = (Named("first", code="item_not_found"), Named("mine", code="item_id_taken"))
# Fields of which nothing can be wrong: accepted without a look.
FREE = {"session.tracing", "session.truncation"}
# Fields whose every value is refused.
REFUSED = {"response.input.0.content.0.audio"}


@dataclass(slots=True)
class World:
    """A session with an item, a spoken reply and, where one is wanted, a running response."""

    client: Client
    names: dict[str, str] = field(default_factory=dict)
    number: int = 0

    async def prepare(self, case: Case) -> None:
        await self.client.until("session.created")
        item = text_item("user", "input_text", id="first")
        await self.client.send(type="conversation.item.create", item=item)
        if case in (TRUNCATE, PLAYOUT):
            await self.client.send(type="response.create")
            done = await self.client.until("response.done")
            self.names["spoken"] = done["response"]["output"][0]["id"]
        if case is COMMIT:
            await self.client.send(type="input_audio_buffer.append", audio=SILENCE)
        if case is CANCEL:
            await self.client.send(type="response.create")
            self.names["running"] = (await self.client.until("response.created"))["response"]["id"]

    def named(self, event: Json) -> Json:
        """The event with the ids that the server has given meanwhile."""
        return {key: self.names.get(value, value) if isinstance(value, str) else value for key, value in event.items()}

    async def refusal(self, event: Json) -> Json | None:
        """What is wrong with an event; None where nothing is. All that it leads to at once is awaited."""
        self.number += 1
        fence = f"fence {self.number}"
        told = len(self.client.told)
        await self.client.send(**event)
        await self.client.send(type="response.cancel", response_id=fence, event_id=fence)
        await self.client.until("error", lambda message: message["error"]["event_id"] == fence)
        since = [message for message in self.client.told[told:-1] if isinstance(message, dict)]
        errors = [message["error"] for message in since if message["type"] == "error"]
        assert len(errors) <= 1
        return errors[0] if errors else None


def with_value(event: Json, path: str, value: Any) -> Json:
    """The event with `value` at the dotted path, or without the field."""
    changed = copy.deepcopy(event)
    here: Any = changed
    *outer, last = path.split(".")
    for key in outer:
        here = here[int(key) if isinstance(here, list) else key]
    at = int(last) if isinstance(here, list) else last
    if value is MISSING:
        del here[at]
    else:
        here[at] = value
    return changed


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}-{CASES.index(case)}")
async def test_good_values_are_taken_and_bad_ones_named(case: Case) -> None:
    script = Script(replies=[" ".join(["word"] * 50)], ms_per_character=2)
    async with scripted_edge(script, max_file_s=30) as address, connected(address, GA_PATH) as client:
        world = World(client)
        await world.prepare(case)
        bad = [(path, value) for path, values in case.bad.items() for value in values]
        for path, value in bad:
            if value not in AFTERWARDS:
                await check_refused(world, case.good[0], path, value)
        for event in case.good:
            if case is not PLAYOUT:
                check_type(event)
            told = len(client.told)
            assert (await world.refusal(world.named(event)) is None) == (case is not OUTPUT_CLEAR), event
            if case.answer is not None and case.answer not in client.kinds[told:]:
                await client.until(case.answer)
        for path, value in bad:
            if value in AFTERWARDS:
                await check_refused(world, case.good[0], path, value)
        await client.send(type="response.create", response={"output_modalities": ["text"], "tool_choice": "auto"})
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        Referee().judge(client.told)


def check_type(event: Json) -> None:
    """The event is one that OpenAI's own types know. Their type of `input` has no references, which have their own."""
    response = event.get("response", {})
    references = [item for item in response.get("input", []) if item["type"] == "item_reference"]
    for reference in references:
        ResponseItemReference.model_validate(reference)
    if references:
        event = event | {
            "response": response | {"input": [item for item in response["input"] if item not in references]}
        }
    TypeAdapter(RealtimeClientEvent).validate_python(event)


async def check_refused(world: World, good: Json, path: str, bad: Any) -> None:
    wrong = bad if isinstance(bad, Named) else Named(bad)
    event = with_value(world.named(good), path, wrong.value)
    if path != "event_id":
        event["event_id"] = "mine"
    error = await world.refusal(event)
    shown = f"{path} = {str(wrong.value)[:60]}"
    assert error is not None, f"taken: {shown}"
    param = wrong.param or path
    param = f"{path}{param}" if param.startswith(".") else param
    assert error["param"] == param, f"{shown}: {error}"
    assert error["type"] == "invalid_request_error"
    assert error["event_id"] == (event["event_id"] if isinstance(event["event_id"], str) else None)
    assert error["message"].startswith(f"{param}: "), shown
    usual = "missing_required_parameter" if wrong.value is MISSING else "invalid_value"
    if wrong.code is not None or not param.startswith(f"{path}."):
        assert error["code"] == (wrong.code or usual), f"{shown}: {error}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}-{CASES.index(case)}")
async def test_a_misspelt_field_is_named_wherever_it_stands(case: Case) -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        world = World(client)
        await client.until("session.created")
        for path in objects(case.good[0]):
            spelt = f"{path}.zzz" if path else "zzz"
            error = await world.refusal(with_value(case.good[0], spelt, 1) | {"event_id": "mine"})
            assert error is not None, spelt
            assert (error["code"], error["param"], error["event_id"]) == ("unknown_parameter", spelt, "mine")


@pytest.mark.parametrize("metadata", METADATA_TOO_LONG)
async def test_metadata_has_the_documented_limits(metadata: Json) -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        error = await World(client).refusal(respond(metadata=metadata) | {"event_id": "mine"})
        assert error is not None
        assert error["param"].startswith("response.metadata")
        assert error["event_id"] == "mine"


async def test_a_frame_that_is_no_event_is_refused() -> None:
    frames: list[tuple[str | bytes, str]] = [
        (b"\0\0", "invalid_frame"),
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"type": "\ud800"}'.encode("utf-8", "surrogatepass").decode("utf-8", "replace")[:-1], "invalid_json"),
        ("[1]", "invalid_value"),
        ("null", "invalid_value"),
        ("5", "invalid_value"),
        ('"hello"', "invalid_value"),
    ]
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        for frame, code in frames:
            await client.socket.send(frame)
            error = (await client.until("error"))["error"]
            assert (error["code"], error["param"], error["event_id"]) == (code, None, None)
        await client.send(type="response.create", response={"output_modalities": ["text"]})
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        Referee().judge(client.told)


async def test_an_empty_buffer_is_not_committed() -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        error = await World(client).refusal({"type": "input_audio_buffer.commit", "event_id": "mine"})
        assert error is not None
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "mine")


# -- the beta ----------------------------------------------------------------------------------------------------------

BETA_SESSION: Json = {
    "type": "session.update",
    "session": {
        "modalities": ["text", "audio"],
        "instructions": "Be brief.",
        "voice": "anna",
        "speed": 1.1,
        "input_audio_format": "pcm16",
        "output_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": "Paris"},
        "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 300},
        "tools": [TOOL],
        "tool_choice": "auto",
        "temperature": 0.8,
        "max_response_output_tokens": 50,
    },
}
BETA_RESPONSE: Json = {
    "type": "response.create",
    "response": {
        "modalities": ["text"],
        "instructions": "Be brief.",
        "voice": "anna",
        "output_audio_format": "pcm16",
        "temperature": 0.8,
        "max_response_output_tokens": 20,
        "tools": [TOOL],
        "tool_choice": "auto",
        "conversation": "none",
        "input": [text_item("user", "input_text"), {"type": "item_reference", "id": "first"}],
        "metadata": {"topic": "mood"},
    },
}
BETA_BAD: list[tuple[Json, str, list[Any]]] = [
    (BETA_SESSION, "session.modalities", [[], "audio"]),
    (BETA_SESSION, "session.instructions", [5]),
    (BETA_SESSION, "session.voice", ["", "nobody"]),
    (BETA_SESSION, "session.speed", [3]),
    (BETA_SESSION, "session.input_audio_format", ["mp3", {"type": "audio/pcm"}]),
    (BETA_SESSION, "session.output_audio_format", ["mp3"]),
    (BETA_SESSION, "session.input_audio_transcription.language", ["English"]),
    (BETA_SESSION, "session.turn_detection.threshold", [3]),
    (BETA_SESSION, "session.tools.0.name", [MISSING, "two words"]),
    (BETA_SESSION, "session.tool_choice", ["always"]),
    (BETA_SESSION, "session.temperature", [3]),
    (BETA_SESSION, "session.max_response_output_tokens", [0]),
    (BETA_RESPONSE, "response.modalities", [[], "text"]),
    (BETA_RESPONSE, "response.instructions", [5]),
    (BETA_RESPONSE, "response.voice", ["", "nobody"]),
    (BETA_RESPONSE, "response.output_audio_format", ["mp3"]),
    (BETA_RESPONSE, "response.temperature", [3]),
    (BETA_RESPONSE, "response.max_response_output_tokens", [0]),
    (BETA_RESPONSE, "response.tools.0.name", [MISSING]),
    (BETA_RESPONSE, "response.conversation", ["conv_1"]),
    (BETA_RESPONSE, "response.input.0.role", ["developer"]),
    (BETA_RESPONSE, "response.input.1.id", [MISSING, Named("nope", code="item_not_found")]),
    (BETA_RESPONSE, "response.metadata", [5]),
]


async def test_the_betas_own_fields_are_taken_and_bad_ones_named() -> None:
    async with scripted_edge(Script()) as address, connected(address, BETA_PATH) as client:
        world = World(client)
        await client.until("session.created")
        item = text_item("user", "input_text", id="first")
        await client.send(type="conversation.item.create", item=item)
        for good, path, values in BETA_BAD:
            for bad in values:
                await check_refused(world, good, path, bad)
        for good, answer in ((BETA_SESSION, "session.updated"), (BETA_RESPONSE, "response.done")):
            TypeAdapter(BetaClientEvent).validate_python(good)
            told = len(client.told)
            assert await world.refusal(good) is None
            if answer not in client.kinds[told:]:
                await client.until(answer)
        Referee(is_beta=True).judge(client.told)


# -- nothing is left out -----------------------------------------------------------------------------------------------


def kinds_of(union: Any) -> set[str]:
    members = typing.get_args(typing.get_args(union)[0] if hasattr(union, "__metadata__") else union)
    return {typing.get_args(member.model_fields["type"].annotation)[0] for member in members}


def fields_of(annotation: Any, path: str) -> Iterator[str]:
    """The dotted paths of all fields that an annotation allows; items of lists are 0."""
    origin = typing.get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, one in annotation.model_fields.items():
            inner = f"{path}.{name}" if path else name
            yield inner
            yield from fields_of(one.annotation, inner)
    elif origin is list:
        yield from fields_of(typing.get_args(annotation)[0], f"{path}.0")
    elif origin in (Union, UnionType, typing.Annotated):
        for member in typing.get_args(annotation):
            yield from fields_of(member, path)


def written(value: Any, path: str = "") -> Iterator[str]:
    """The dotted paths of all that is written in an event, every item of a list as 0."""
    if isinstance(value, dict):
        for key, one in value.items():
            inner = f"{path}.{key}" if path else key
            yield inner
            yield from written(one, inner)
    elif isinstance(value, list):
        for one in value:
            yield from written(one, f"{path}.0")


def objects(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all objects of an event whose fields have fixed names."""
    if isinstance(value, dict):
        if path.rpartition(".")[2] not in ("parameters", "metadata"):
            yield path
        for key, one in value.items():
            yield from objects(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from objects(one, f"{path}.{index}")


def test_every_client_event_of_the_protocol_is_there() -> None:
    walked = {case.type for case in CASES}
    assert kinds_of(RealtimeClientEvent) <= walked
    assert kinds_of(ClientEvent) == walked
    assert kinds_of(BetaEvent) == walked


def normal(path: str) -> str:
    return ".".join("0" if part.isdecimal() else part for part in path.split("."))


def test_every_field_of_every_event_has_a_good_and_a_bad_value() -> None:
    (events, *_) = typing.get_args(ClientEvent)
    for model in typing.get_args(events):
        (kind,) = typing.get_args(model.model_fields["type"].annotation)
        cases = [case for case in CASES if case.type == kind]
        good = {path for case in cases for event in case.good for path in written(event)} | {"event_id"}
        bad = {normal(path) for case in cases for path in case.bad}
        bad |= {
            normal(f"{path}{value.param}")
            for case in cases
            for path, values in case.bad.items()
            for value in values
            if isinstance(value, Named) and value.param is not None and value.param.startswith(".")
        }
        for path in fields_of(model, ""):
            tried = noise_reduction.available() or not path.endswith("noise_reduction.type")
            assert path in good | REFUSED or not tried, f"{kind}: no good value of {path}"
            assert path in bad | FREE, f"{kind}: no bad value of {path}"
