"""Whole conversations on the Realtime protocol, in both generations, before a referee. Stages are scripted."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from voxfleet.llm.v1 import llm_pb2

from chassis.errors import Code, StageError
from tests.support.conformance import Referee
from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script, speech

Json = dict[str, Any]
PATHS = {"ga": "/v1/realtime?model=gpt-realtime", "beta": "/ws/voice?model=gpt-4o-realtime-preview"}
REPLY = "It is noon. The sun is high."
LONG = " ".join(f"word{number}" for number in range(60))
WEATHER = llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city": "Paris"}')
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
BROKEN = StageError(Code.INTERNAL, "BROKEN", "the stage broke")

both = pytest.mark.parametrize("generation", ["ga", "beta"])


@dataclass(slots=True)
class Talk:
    """A client in either generation."""

    client: Client
    is_beta: bool
    referee: Referee

    async def update(self, **audio_input: Any) -> None:
        """Changes what is heard and how."""
        if self.is_beta:
            names = {"turn_detection": "turn_detection", "transcription": "input_audio_transcription"}
            session: Json = {names[key]: value for key, value in audio_input.items()}
        else:
            session = {"type": "realtime", "audio": {"input": audio_input}}
        await self.client.send(type="session.update", session=session)
        await self.until("session.updated")

    async def ask(self, *modalities: str, **fields: Any) -> None:
        """`response.create`."""
        if modalities:
            fields["modalities" if self.is_beta else "output_modalities"] = list(modalities)
        await self.client.send(type="response.create", event_id="ask", response=fields)

    async def write(self, text: str, item_id: str, **fields: Any) -> Json:
        """A message of the person."""
        content = [{"type": "input_text", "text": text}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        await self.client.send(type="conversation.item.create", item=item, **fields)
        return await self.until("conversation.item.created" if self.is_beta else "conversation.item.added")

    async def until(self, kind: str) -> Json:
        return await self.client.until(kind)

    async def done(self) -> Json:
        """The next response that is over."""
        response: Json = (await self.until("response.done"))["response"]
        return response

    async def error(self) -> Json:
        """The next error."""
        error: Json = (await self.until("error"))["error"]
        return error

    def of_response(self, response_id: str) -> list[str]:
        """The types of a response's own events, each once where it is repeated."""
        kinds: list[str] = []
        for event in self.client.told:
            assert isinstance(event, dict)
            told = event.get("response_id", event.get("response", {}).get("id"))
            if told == response_id and (not kinds or kinds[-1] != event["type"]):
                kinds.append(event["type"])
        return kinds


@asynccontextmanager
async def talking(generation: str, script: Script, **settings: Any) -> AsyncIterator[Talk]:
    """A conversation; at its end everything that was said is judged."""
    is_beta = generation == "beta"
    async with scripted_edge(script, **settings) as address, connected(address, PATHS[generation]) as client:
        talk = Talk(client, is_beta, Referee(is_beta=is_beta))
        await talk.until("session.created")
        yield talk
        talk.referee.judge(client.told)


def add(talk: Talk) -> str:
    return "conversation.item.created" if talk.is_beta else "conversation.item.added"


@both
async def test_a_spoken_turn(generation: str) -> None:
    async with talking(generation, Script()) as talk:
        for _ in range(2):
            await talk.client.speak_base64(0.5, 0.8)
            done = await talk.done()
            assert (done["status"], done["usage"]["total_tokens"]) == ("completed", 17)
            assert done["output"][0]["content"][0]["transcript"] == REPLY


@both
async def test_a_written_turn_in_text(generation: str) -> None:
    async with talking(generation, Script()) as talk:
        await talk.write("hello", "item_mine")
        await talk.ask("text", metadata={"who": "me"})
        done = await talk.done()
        assert (done["status"], done["metadata"]) == ("completed", {"who": "me"})
        assert done["output"][0]["content"][0]["text"] == REPLY


@both
async def test_a_function_is_called_and_its_output_continued(generation: str) -> None:
    script = Script(replies=["", "It is sunny."], calls=[WEATHER])
    async with talking(generation, script) as talk:
        await talk.ask("text", tools=[TOOL], tool_choice="required")
        arguments = await talk.until("response.function_call_arguments.done")
        assert json.loads(arguments["arguments"]) == {"city": "Paris"}
        done = await talk.done()
        assert [item["type"] for item in done["output"]] == ["function_call"]
        assert talk.of_response(done["id"]) == [
            "response.created",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.done",
        ]
        script.calls.clear()
        output = {"type": "function_call_output", "call_id": arguments["call_id"], "output": "sunny"}
        await talk.client.send(type="conversation.item.create", item=output)
        await talk.ask("text")
        assert (await talk.done())["output"][0]["content"][0]["text"] == "It is sunny."
    assert script.chats[0].tool_choice.mode == llm_pb2.ToolChoice.MODE_REQUIRED
    assert [tool.name for tool in script.chats[0].tools] == ["weather"]
    assert list(script.chats[1].tools) == []
    roles = [message.role for message in script.chats[1].history]
    assert roles == [llm_pb2.ROLE_ASSISTANT, llm_pb2.ROLE_TOOL]


@both
async def test_a_message_and_a_function_call(generation: str) -> None:
    async with talking(generation, Script(replies=["Let me see."], calls=[WEATHER])) as talk:
        await talk.ask("audio")
        done = await talk.done()
        assert [item["type"] for item in done["output"]] == ["message", "function_call"]
        assert len(talk.referee.items) == 0


@both
async def test_a_response_beside_the_conversation_while_another_is_spoken(generation: str) -> None:
    script = Script(replies=[LONG, "bored"], ms_per_character=5)
    async with talking(generation, script) as talk:
        await talk.write("tell me a story", "item_mine")
        await talk.ask("audio")
        # The scripted model has taken its first reply by then, so the next one is for the other response.
        await talk.until("response.audio.delta" if generation == "beta" else "response.output_audio.delta")
        reference = {"type": "item_reference", "id": "item_mine"}
        question = {
            "type": "message",
            "role": "system",
            "content": [{"type": "input_text", "text": "Their mood?"}],
        }
        await talk.ask("text", conversation="none", metadata={"topic": "mood"}, input=[reference, question])
        # Either may be over first.
        aside, spoken = sorted([await talk.done(), await talk.done()], key=lambda done: done["metadata"] is None)
        assert (aside["conversation_id"], aside["metadata"]) == (None, {"topic": "mood"})
        assert aside["output"][0]["content"][0]["text"] == "bored"
        assert spoken["conversation_id"] is not None
        assert spoken["output"][0]["content"][0]["transcript"] == LONG
    assert [message.text for message in script.chats[1].history] == ["tell me a story", "Their mood?"]


@both
async def test_too_many_responses_beside_the_conversation(generation: str) -> None:
    async with talking(generation, Script(first_token_delay_s=0.3)) as talk:
        for _ in range(5):
            await talk.ask("text", conversation="none")
        error = await talk.error()
        assert (error["code"], error["event_id"]) == ("too_many_responses", "ask")
        for _ in range(4):
            assert (await talk.done())["status"] == "completed"


@both
async def test_a_second_response_while_one_is_active(generation: str) -> None:
    async with talking(generation, Script()) as talk:
        await talk.ask("audio")
        await talk.ask("audio")
        error = await talk.error()
        assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "ask")
        assert (await talk.done())["status"] == "completed"


@both
async def test_push_to_talk(generation: str) -> None:
    async with talking(generation, Script()) as talk:
        await talk.update(turn_detection=None)
        await talk.client.send(type="input_audio_buffer.commit", event_id="early")
        error = await talk.error()
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "early")
        await talk.client.speak_base64(0.3, 0.0)
        await talk.client.send(type="input_audio_buffer.clear")
        await talk.until("input_audio_buffer.cleared")
        await talk.client.speak_base64(0.5, 0.9)
        await talk.client.send(type="input_audio_buffer.commit")
        heard = await talk.until("conversation.item.input_audio_transcription.completed")
        assert heard["transcript"] == "what time is it"
        await talk.ask()
        assert (await talk.done())["status"] == "completed"
        assert not {kind for kind in talk.client.kinds if "speech_" in kind}


@both
async def test_a_reply_is_interrupted(generation: str) -> None:
    script = Script(texts=["tell me more", "stop it please"], replies=[LONG, "All right."])
    async with talking(generation, script) as talk:
        await talk.client.speak_base64(0.5, 0.6)
        first = await talk.until("response.audio.delta" if talk.is_beta else "response.output_audio.delta")
        await talk.client.speak_base64(0.9, 0.0)
        done = await talk.done()
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        (item,) = done["output"]
        assert (item["id"], item["status"]) == (first["item_id"], "incomplete")
        where = {"item_id": item["id"], "content_index": 0, "audio_end_ms": 100}
        await talk.client.send(type="conversation.item.truncate", **where)
        assert (await talk.until("conversation.item.truncated"))["audio_end_ms"] == 100
        await talk.client.send(type="conversation.item.retrieve", item_id=item["id"])
        (part,) = (await talk.until("conversation.item.retrieved"))["item"]["content"]
        assert part["transcript"] in ("", "word0")
        await talk.client.speak_base64(0.0, 0.6)
        assert (await talk.done())["status"] == "completed"


@both
@pytest.mark.parametrize("by_id", [False, True])
async def test_a_response_is_cancelled(generation: str, by_id: bool) -> None:
    async with talking(generation, Script(replies=[LONG])) as talk:
        await talk.client.send(type="response.cancel", event_id="early")
        error = await talk.error()
        assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "early")
        await talk.ask("audio")
        response_id = (await talk.until("response.created"))["response"]["id"]
        await talk.client.send(type="response.cancel", response_id="resp_other", event_id="other")
        error = await talk.error()
        assert (error["code"], error["param"], error["event_id"]) == (
            "response_cancel_not_active",
            "response_id",
            "other",
        )
        await talk.client.send(type="response.cancel", **({"response_id": response_id} if by_id else {}))
        done = await talk.done()
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}


@both
async def test_a_response_beside_the_conversation_is_cancelled(generation: str) -> None:
    async with talking(generation, Script(replies=[LONG], token_delay_s=0.01)) as talk:
        await talk.ask("text", conversation="none")
        response_id = (await talk.until("response.created"))["response"]["id"]
        await talk.until("response.text.delta" if talk.is_beta else "response.output_text.delta")
        await talk.client.send(type="response.cancel", response_id=response_id)
        done = await talk.done()
        assert (done["id"], done["status"], done["output"][0]["status"]) == (response_id, "cancelled", "incomplete")


@both
@pytest.mark.parametrize("modality", ["audio", "text"])
async def test_a_response_that_reaches_its_limit(generation: str, modality: str) -> None:
    async with talking(generation, Script(cut_at_length=True)) as talk:
        await talk.ask(modality, max_output_tokens=6)
        done = await talk.done()
        assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert (done["output"][0]["status"], done["max_output_tokens"]) == ("incomplete", 6)


@both
@pytest.mark.parametrize("stage", ["llm", "tts"])
async def test_a_response_that_fails(generation: str, stage: str) -> None:
    script = Script(failures={stage: BROKEN})
    async with talking(generation, script) as talk:
        await talk.ask("audio")
        assert (await talk.error())["type"] == "server_error"
        done = await talk.done()
        assert done["status"] == "failed"
        assert done["status_details"]["error"] == {
            "type": "server_error",
            "code": "broken",
            "message": done["status_details"]["error"]["message"],
        }
        script.failures.clear()
        await talk.ask("audio")
        assert (await talk.done())["status"] == "completed"


@both
async def test_a_turn_whose_transcription_fails(generation: str) -> None:
    script = Script(failures={"stt": BROKEN})
    async with talking(generation, script) as talk:
        await talk.client.speak_base64(0.5, 0.8)
        committed = await talk.until("input_audio_buffer.committed")
        failed = await talk.until("conversation.item.input_audio_transcription.failed")
        assert (failed["item_id"], failed["content_index"]) == (committed["item_id"], 0)
        assert (failed["error"]["type"], failed["error"]["code"]) == ("server_error", "broken")
        script.failures.clear()
        await talk.client.speak_base64(0.5, 0.8)
        assert (await talk.done())["status"] == "completed"
        assert "error" not in talk.client.kinds


@both
async def test_a_lost_turn_is_an_error_where_no_transcripts_are_wanted(generation: str) -> None:
    async with talking(generation, Script(failures={"stt": BROKEN})) as talk:
        await talk.update(transcription=None)
        await talk.client.speak_base64(0.5, 0.8)
        error = await talk.error()
        assert (error["type"], error["code"]) == ("server_error", "broken")
        assert not {kind for kind in talk.client.kinds if "transcription" in kind}


@both
async def test_nobody_speaks_for_the_idle_timeout(generation: str) -> None:
    async with talking(generation, Script(ms_per_character=5)) as talk:
        await talk.update(turn_detection={"type": "server_vad", "silence_duration_ms": 200, "idle_timeout_ms": 1_000})
        await talk.client.speak_base64(0.4, 0.4)
        await talk.done()
        await talk.client.speak_base64(0.0, 1.4)
        idle = await talk.until("input_audio_buffer.timeout_triggered")
        assert idle["audio_end_ms"] - idle["audio_start_ms"] == 1_000
        committed = await talk.until("input_audio_buffer.committed")
        assert committed["item_id"] == idle["item_id"]
        assert (await talk.done())["status"] == "completed"


@both
async def test_recorded_audio_as_an_item(generation: str) -> None:
    script = Script(text_delay_s=0.05)
    async with talking(generation, script) as talk:
        audio = base64.b64encode(speech(0.5, 24_000)).decode()
        content = [{"type": "input_text", "text": "Listen:"}, {"type": "input_audio", "audio": audio}]
        item = {"id": "item_mine", "type": "message", "role": "user", "content": content}
        await talk.client.send(type="conversation.item.create", item=item)
        await talk.ask("text")
        added = await talk.until(add(talk))
        assert added["item"]["content"] == [content[0], {"type": "input_audio", "transcript": None}]
        heard = await talk.until("conversation.item.input_audio_transcription.completed")
        assert (heard["item_id"], heard["content_index"], heard["transcript"]) == ("item_mine", 1, "what time is it")
        assert heard["usage"] == {"type": "duration", "seconds": 0.5}
        assert (await talk.done())["status"] == "completed"
        await talk.client.send(type="conversation.item.retrieve", item_id="item_mine")
        told = (await talk.until("conversation.item.retrieved"))["item"]["content"][1]
        assert told == {"type": "input_audio", "transcript": "what time is it"}
    assert [message.text for message in script.chats[0].history] == ["Listen:\nwhat time is it"]


@both
async def test_recorded_audio_that_cannot_be_transcribed(generation: str) -> None:
    script = Script(failures={"stt": BROKEN})
    async with talking(generation, script) as talk:
        audio = base64.b64encode(speech(0.5, 24_000)).decode()
        content = [{"type": "input_audio", "audio": audio}]
        item = {"id": "item_mine", "type": "message", "role": "user", "content": content}
        await talk.client.send(type="conversation.item.create", item=item)
        failed = await talk.until("conversation.item.input_audio_transcription.failed")
        assert (failed["item_id"], failed["content_index"]) == ("item_mine", 0)
        await talk.ask("text")
        assert (await talk.done())["status"] == "completed"


@both
async def test_items_are_put_where_they_are_wanted_told_and_deleted(generation: str) -> None:
    script = Script()
    async with talking(generation, script) as talk:
        await talk.write("two", "item_2")
        await talk.write("one", "item_1", previous_item_id="root")
        await talk.write("four", "item_4")
        await talk.write("three", "item_3", previous_item_id="item_2")
        await talk.client.send(type="conversation.item.delete", item_id="item_2")
        await talk.until("conversation.item.deleted")
        await talk.client.send(type="conversation.item.retrieve", item_id="item_3")
        assert (await talk.until("conversation.item.retrieved"))["item"]["content"][0]["text"] == "three"
        await talk.ask("text")
        done = await talk.done()
    assert talk.referee.items == ["item_1", "item_3", "item_4", done["output"][0]["id"]]
    assert [message.text for message in script.chats[0].history] == ["one", "three", "four"]


async def test_the_referee_sees_what_is_wrong() -> None:
    async with talking("ga", Script()) as talk:
        await talk.ask("text")
        await talk.done()
    told = [event for event in talk.client.told if isinstance(event, dict)]
    for index, event in enumerate(told):
        assert not in_order(told[:index] + told[index + 1 :]), f"without {event['type']}"


def in_order(told: list[Json]) -> bool:
    try:
        Referee().judge(told)
    except (AssertionError, KeyError, ValueError):
        return False
    return True
