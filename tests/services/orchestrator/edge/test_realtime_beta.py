"""The beta of the Realtime protocol over a real WebSocket, stages scripted, as clients of that time speak it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from voxfleet.llm.v1 import llm_pb2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script, silence, speech

MODEL = "gpt-4o-realtime-preview"
GA_PATH = f"/v1/realtime?model={MODEL}"
OLD_PATH = f"/ws/voice?model={MODEL}"
SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

OLD_SESSION = {
    "modalities": ["text", "audio"],
    "instructions": "Speak like a pirate.",
    "voice": "verse",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200},
    "tools": [],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": 50,
}


@asynccontextmanager
async def with_header(address: str) -> AsyncIterator[Client]:
    headers = {"OpenAI-Beta": "realtime=v1"}
    async with connect(f"ws://{address}{GA_PATH}", additional_headers=headers, max_size=None) as connection:
        yield Client(connection)


@asynccontextmanager
async def with_subprotocols(address: str, offered: Sequence[str]) -> AsyncIterator[Client]:
    subprotocols = [Subprotocol(name) for name in offered]
    async with connect(f"ws://{address}{GA_PATH}", subprotocols=subprotocols, max_size=None) as connection:
        yield Client(connection)


def events_of(client: Client, kind: str) -> list[dict[str, Any]]:
    return [event for event in client.told if isinstance(event, dict) and event["type"] == kind]


def check_types(client: Client) -> None:
    """Every event so far is one that the beta has, and has an id of its own."""
    events = [event for event in client.told if isinstance(event, dict)]
    for event in events:
        SERVER_EVENT.validate_python(event)
    assert len({event["event_id"] for event in events}) == len(events)


async def converse(client: Client, script: Script) -> None:
    """Two spoken turns of an older page."""
    created = await client.until("session.created")
    assert created["session"]["model"] == MODEL
    assert created["session"]["modalities"] == ["text", "audio"]
    await client.until("conversation.created")
    await client.send(type="session.update", session=OLD_SESSION)
    updated = (await client.until("session.updated"))["session"]
    assert updated["instructions"] == "Speak like a pirate."
    assert updated["turn_detection"]["silence_duration_ms"] == 200
    assert updated["max_response_output_tokens"] == 50
    for _ in range(2):
        told = len(client.told)
        await client.speak_base64(0.5, 0.6)
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        assert done["response"]["output"][0]["content"] == [
            {"type": "audio", "transcript": "It is noon. The sun is high."}
        ]
        turn = [event for event in client.told[told:] if isinstance(event, dict)]
        audio = b"".join(base64.b64decode(event["delta"]) for event in turn if event["type"] == "response.audio.delta")
        assert abs(len(audio) / 2 / 24_000 - 0.02 * len("It is noon. The sun is high.")) < 0.01
        words = [event["delta"] for event in turn if event["type"] == "response.audio_transcript.delta"]
        assert "".join(words) == "It is noon. The sun is high."
        (heard,) = (event for event in turn if event["type"].endswith("input_audio_transcription.completed"))
        assert heard["transcript"] == "what time is it"
    items = events_of(client, "conversation.item.created")
    ids = [event["item"]["id"] for event in items]
    assert len(set(ids)) == 4
    assert [event["previous_item_id"] for event in items] == [None, *ids[:-1]]
    assert not {kind for kind in client.kinds if ".output_" in kind and "output_item" not in kind}
    assert not {"conversation.item.added", "conversation.item.done"} & set(client.kinds)
    check_types(client)
    assert script.chats[0].instructions == "Speak like a pirate."
    assert script.chats[0].max_output_tokens == 50


async def test_a_client_with_the_betas_header_holds_a_spoken_conversation() -> None:
    script = Script()
    async with scripted_edge(script) as address, with_header(address) as client:
        await converse(client, script)


async def test_a_page_on_the_older_path_holds_a_spoken_conversation_without_a_header() -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, OLD_PATH) as client:
        await converse(client, script)


async def test_openais_own_client_of_the_beta_holds_a_spoken_conversation() -> None:
    async with scripted_edge(Script()) as address:

        def client_of_the_beta() -> AsyncOpenAI:
            client = AsyncOpenAI(api_key="none", websocket_base_url=f"ws://{address}/v1")
            assert client.default_headers
            return client

        # In a thread, because a client reads certificates from files and asks the system's commands for its name.
        client = await asyncio.to_thread(client_of_the_beta)
        async with asyncio.timeout(10), client.beta.realtime.connect(model=MODEL) as connection:
            await connection.session.update(session={"voice": "verse", "turn_detection": {"type": "server_vad"}})
            question = speech(0.5, 24_000) + silence(0.9, 24_000)
            await connection.input_audio_buffer.append(audio=base64.b64encode(question).decode())
            audio, words = b"", ""
            async for event in connection:
                match event.type:
                    case "response.audio.delta":
                        audio += base64.b64decode(event.delta)
                    case "response.audio_transcript.delta":
                        words += event.delta
                    case "response.done":
                        break
                    case "error":
                        pytest.fail(event.error.message)
        await client.close()
    assert words == "It is noon. The sun is high."
    assert abs(len(audio) / 2 / 24_000 - 0.02 * len(words)) < 0.01


async def test_a_browser_asks_for_the_beta_by_subprotocol() -> None:
    offered = ["realtime", "openai-insecure-api-key.none", "openai-beta.realtime-v1"]
    async with scripted_edge(Script()) as address, with_subprotocols(address, offered) as client:
        assert client.socket.subprotocol == "realtime"
        assert "modalities" in (await client.until("session.created"))["session"]


async def test_without_header_and_subprotocol_the_names_are_those_of_the_ga_protocol() -> None:
    async with scripted_edge(Script()) as address, with_subprotocols(address, ["realtime"]) as client:
        assert (await client.until("session.created"))["session"]["output_modalities"] == ["audio"]
        await client.send(type="response.create", response={"output_modalities": ["text"]})
        await client.until("response.output_text.done")
        await client.until("response.done")
        assert not {"conversation.created", "conversation.item.created"} & set(client.kinds)


async def test_a_written_message_is_answered_in_writing() -> None:
    async with scripted_edge(Script()) as address, connected(address, OLD_PATH) as client:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
        await client.send(type="conversation.item.create", item=item)
        await client.until("conversation.item.created")
        await client.send(type="response.create", response={"modalities": ["text"], "max_output_tokens": 9})
        text = await client.until("response.text.done")
        assert text["text"] == "It is noon. The sun is high."
        done = await client.until("response.done")
        assert done["response"]["modalities"] == ["text"]
        check_types(client)


async def test_a_reply_that_is_interrupted_is_cut_where_the_page_heard_it_last() -> None:
    script = Script(texts=["tell me more", "stop it please"])
    script.replies = [" ".join(f"word{number}" for number in range(60)), "All right."]
    async with scripted_edge(script) as address, connected(address, OLD_PATH) as client:
        await client.send(type="session.update", session=OLD_SESSION)
        await client.speak_base64(0.5, 0.6)
        first = await client.until("response.audio.delta")
        await client.speak_base64(0.9, 0.0)
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        item_id = first["item_id"]
        await client.send(type="conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
        truncated = await client.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] == 100
        await client.send(type="conversation.item.retrieve", item_id=item_id)
        (part,) = (await client.until("conversation.item.retrieved"))["item"]["content"]
        assert part["type"] == "audio"
        assert part["transcript"] in ("", "word0")
        await client.speak_base64(0.0, 0.6)
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        check_types(client)


async def test_a_function_is_called_and_its_result_answered() -> None:
    script = Script(replies=["", "It is sunny."])
    script.calls.append(llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city":"Paris"}'))
    async with scripted_edge(script) as address, with_header(address) as client:
        await client.send(type="response.create")
        arguments = await client.until("response.function_call_arguments.done")
        assert arguments["arguments"] == '{"city":"Paris"}'
        done = await client.until("response.done")
        assert done["response"]["output"][-1]["name"] == "weather"
        script.calls.clear()
        output = {"type": "function_call_output", "call_id": arguments["call_id"], "output": "sunny"}
        await client.send(type="conversation.item.create", item=output)
        await client.send(type="response.create", response={"modalities": ["text"]})
        assert (await client.until("response.text.done"))["text"] == "It is sunny."
        await client.until("response.done")
        check_types(client)


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "session.update", "session": {"voice": "zoe"}}, "invalid_value", "session.voice"),
        ({"type": "response.create", "response": {"voice": "zoe"}}, "invalid_value", "response.voice"),
        (
            {"type": "response.create", "response": {"output_audio_format": "mp3"}},
            "invalid_value",
            "response.output_audio_format",
        ),
        (
            {"type": "session.update", "session": {"input_audio_format": "opus"}},
            "invalid_value",
            "session.input_audio_format",
        ),
        ({"type": "session.update", "session": {"audio": {}}}, "unknown_parameter", "session.audio"),
        ({"type": "input_audio_buffer.append", "audio": "*"}, "invalid_audio", "audio"),
        ({"type": "conversation.item.retrieve", "item_id": "nope"}, "item_not_found", "item_id"),
        ({"type": "no.such.event"}, "invalid_value", "type"),
    ],
)
async def test_an_error_names_the_field_as_the_client_wrote_it_and_the_session_lives(
    event: dict[str, Any], code: str, param: str
) -> None:
    async with scripted_edge(Script()) as address, connected(address, OLD_PATH) as client:
        await client.send(**event, event_id="mine")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
        assert error["message"].startswith(f"{param}: ")
        await client.send(type="response.create", response={"modalities": ["text"]})
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        check_types(client)
