"""The Realtime protocol over a real WebSocket, stages scripted. Events are checked against OpenAI's own types."""

import base64
import json
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from voxfleet.llm.v1 import llm_pb2
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script

PATH = "/v1/realtime?model=gpt-realtime"
SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def check_types(client: Client) -> None:
    """Every event so far fits the protocol's own types and has an id of its own."""
    events = [event for event in client.told if isinstance(event, dict)]
    for event in events:
        SERVER_EVENT.validate_python(event)
    assert len({event["event_id"] for event in events}) == len(events)


async def test_a_spoken_turn_is_the_whole_documented_sequence() -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        created = await client.until("session.created")
        assert created["session"]["model"] == "gpt-realtime"
        await client.speak_base64(0.8, 0.8)
        done = await client.until("response.done")
        check_types(client)
        repeated = {
            "conversation.item.input_audio_transcription.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
        }
        assert [kind for kind in client.kinds if kind not in repeated] == [
            "session.created",
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "conversation.item.input_audio_transcription.completed",
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert done["response"]["status"] == "completed"
        assert done["response"]["usage"]["total_tokens"] == 17
        (item,) = done["response"]["output"]
        assert item["content"] == [{"type": "output_audio", "transcript": "It is noon. The sun is high."}]
        told = [event for event in client.told if isinstance(event, dict)]
        audio = b"".join(
            base64.b64decode(event["delta"]) for event in told if event["type"] == "response.output_audio.delta"
        )
        assert abs(len(audio) / 2 / 24_000 - 0.02 * len("It is noon. The sun is high.")) < 0.01
        words = [event["delta"] for event in told if event["type"] == "response.output_audio_transcript.delta"]
        assert "".join(words) == "It is noon. The sun is high."


async def test_items_are_chained_by_their_previous_item() -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        await client.speak_base64(0.4, 0.8)
        await client.until("response.done")
        await client.speak_base64(0.4, 0.8)
        await client.until("response.done")
        added = [
            event for event in client.told if isinstance(event, dict) and event["type"] == "conversation.item.added"
        ]
        ids = [event["item"]["id"] for event in added]
        assert [event["previous_item_id"] for event in added] == [None, *ids[:-1]]


async def test_a_session_update_is_told_back_and_followed() -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, PATH) as client:
        session = {
            "type": "realtime",
            "instructions": "Speak like a pirate.",
            "output_modalities": ["text"],
            "max_output_tokens": 50,
            "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}],
            "tool_choice": "auto",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "turn_detection": {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 300},
                },
                "output": {"voice": "anna", "speed": 1.25},
            },
        }
        await client.send(type="session.update", session=session)
        updated = (await client.until("session.updated"))["session"]
        assert updated["instructions"] == "Speak like a pirate."
        assert updated["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
        assert updated["audio"]["output"]["voice"] == "anna"
        assert updated["tools"][0]["name"] == "weather"
        await client.speak_base64(0.4, 0.6)
        done = await client.until("response.done")
        check_types(client)
        assert done["response"]["output"][0]["content"][0]["type"] == "output_text"
    assert script.chats[0].instructions == "Speak like a pirate."
    assert script.chats[0].max_output_tokens == 50


async def test_push_to_talk_waits_for_commit_and_response_create() -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        audio = {"input": {"turn_detection": None}}
        await client.send(type="session.update", session={"type": "realtime", "audio": audio})
        await client.speak_base64(0.5, 0.9)
        await client.send(type="input_audio_buffer.commit")
        await client.until("conversation.item.input_audio_transcription.completed")
        await client.send(type="response.create")
        await client.until("response.done")
        check_types(client)
        assert "input_audio_buffer.speech_started" not in client.kinds


async def test_a_written_message_is_answered() -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        content = [{"type": "input_text", "text": "hello"}]
        item = {"id": "item_mine", "type": "message", "role": "user", "content": content}
        await client.send(type="conversation.item.create", item=item)
        added = await client.until("conversation.item.added")
        assert added["item"]["id"] == "item_mine"
        await client.send(type="response.create", response={"output_modalities": ["text"]})
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["text"] == "It is noon. The sun is high."
        check_types(client)


async def test_a_reply_can_be_cancelled_and_truncated() -> None:
    script = Script(replies=[" ".join(f"word{number}" for number in range(50))])
    async with scripted_edge(script) as address, connected(address, PATH) as client:
        await client.send(type="response.create")
        await client.until("response.output_audio.delta")
        await client.send(type="response.cancel")
        done = await client.until("response.done")
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        item_id = done["response"]["output"][0]["id"]
        await client.send(type="conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=60)
        await client.until("conversation.item.truncated")
        await client.send(type="conversation.item.retrieve", item_id=item_id)
        retrieved = await client.until("conversation.item.retrieved")
        assert retrieved["item"]["content"][0]["transcript"] in ("", "word0")
        await client.send(type="conversation.item.delete", item_id=item_id)
        await client.until("conversation.item.deleted")
        check_types(client)


async def test_a_function_call_is_streamed_and_its_result_continues_the_conversation() -> None:
    script = Script(replies=["", "It is sunny."])
    script.calls.append(llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city":"Paris"}'))
    async with scripted_edge(script) as address, connected(address, PATH) as client:
        await client.send(type="response.create")
        arguments = await client.until("response.function_call_arguments.done")
        assert json.loads(arguments["arguments"]) == {"city": "Paris"}
        await client.until("response.done")
        script.calls.clear()
        output = {"type": "function_call_output", "call_id": arguments["call_id"], "output": "sunny"}
        await client.send(type="conversation.item.create", item=output)
        await client.send(type="response.create", response={"output_modalities": ["text"]})
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["text"] == "It is sunny."
        check_types(client)
    roles = [message.role for message in script.chats[1].history]
    assert roles == [llm_pb2.ROLE_ASSISTANT, llm_pb2.ROLE_TOOL]


async def test_marks_of_the_turn_are_sent_to_clients_that_ask() -> None:
    async with scripted_edge(Script()) as address, connected(address, f"{PATH}&extensions=voxfleet") as client:
        await client.speak_base64(0.4, 0.8)
        marks = (await client.until("voxfleet.turn.marks"))["marks"]
        assert {"endpoint", "transcript", "first_token", "first_audio", "audio_sent"} <= marks.keys()


APPEND = "input_audio_buffer.append"
BAD: list[tuple[str | dict[str, Any], str | None, str, str | None]] = [
    ("{", None, "invalid_json", None),
    ("[1]", None, "invalid_value", None),
    ('{"type": "\\ud800"}', None, "invalid_json", None),
    ("[" * 100_000, None, "invalid_json", None),
    ({"type": APPEND, "audio": "é"}, None, "invalid_audio", "audio"),
    ({"type": "conversation.item.create", "item": {"type": "odd"}}, None, "invalid_value", "item.type"),
    ({"type": "no.such.event", "event_id": "e1"}, "e1", "invalid_value", "type"),
    ({"event_id": "e1"}, "e1", "missing_required_parameter", "type"),
    ({"type": APPEND}, None, "missing_required_parameter", "audio"),
    ({"type": APPEND, "audio": "*"}, None, "invalid_audio", "audio"),
    ({"type": APPEND, "audio": "AAAA"}, None, "invalid_audio", "audio"),
    ({"type": APPEND, "audio": "AAAAAAAA", "volume": 3}, None, "unknown_parameter", "volume"),
    ({"type": "input_audio_buffer.commit"}, None, "input_audio_buffer_commit_empty", None),
    ({"type": "response.cancel"}, None, "response_cancel_not_active", None),
    ({"type": "session.update", "session": {"type": "translation"}}, None, "invalid_value", "session.type"),
    (
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}},
        },
        None,
        "invalid_value",
        "session.audio.input.format.rate",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "zoe"}}}},
        None,
        "invalid_value",
        "session.audio.output.voice",
    ),
    ({"type": "conversation.item.retrieve", "item_id": "nope"}, None, "item_not_found", "item_id"),
    ({"type": "conversation.item.delete", "item_id": "nope"}, None, "item_not_found", "item_id"),
]


@pytest.mark.parametrize(("event", "event_id", "code", "param"), BAD)
async def test_bad_input_is_an_error_that_names_the_field_and_the_session_lives(
    event: str | dict[str, Any], event_id: str | None, code: str, param: str | None
) -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        await client.socket.send(event if isinstance(event, str) else json.dumps(event))
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == (code, param, event_id)
        check_types(client)
        await client.send(type="response.create", response={"output_modalities": ["text"]})
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_an_unknown_voice_is_answered_with_the_voices_there_are() -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        session = {"type": "realtime", "audio": {"output": {"voice": "zoe"}}}
        await client.send(type="session.update", session=session)
        assert "anna, bert" in (await client.until("error"))["error"]["message"]


async def test_a_24_megabyte_append_is_refused_and_the_session_lives() -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        await client.send(type="input_audio_buffer.append", audio="A" * (24 << 20))
        assert (await client.until("error"))["error"]["code"] == "audio_too_large"
        await client.speak_base64(0.4, 0.8)
        await client.until("response.done")


async def test_a_binary_frame_is_refused_and_the_session_lives() -> None:
    async with scripted_edge(Script()) as address, connected(address, PATH) as client:
        await client.socket.send(b"\0\0")
        assert (await client.until("error"))["error"]["code"] == "invalid_frame"
        await client.speak_base64(0.4, 0.8)
        await client.until("response.done")


async def test_one_session_too_many_is_refused_with_a_hint_when_to_retry() -> None:
    async with scripted_edge(Script(), max_sessions=1) as address, connected(address, PATH) as client:
        await client.until("session.created")
        with pytest.raises(InvalidStatus) as refusal:
            async with connect(f"ws://{address}{PATH}"):
                pass
        assert refusal.value.response.status_code == 503
        assert refusal.value.response.headers["Retry-After"] == "5"
