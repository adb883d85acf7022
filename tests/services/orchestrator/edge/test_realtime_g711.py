"""Telephone audio on the Realtime protocol, over a real WebSocket, stages scripted."""

import base64
from typing import Any

import numpy as np
import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from chassis import g711
from chassis.g711 import Law
from tests.support.edge import STEP_S, Client, connected, scripted_edge
from tests.support.scripted import Script, silence, speech

GA_PATH = "/v1/realtime"
OLD_PATH = "/ws/voice"
SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
REPLY = "It is noon. The sun is high."
LAWS = [("audio/pcmu", "g711_ulaw", Law.MU), ("audio/pcma", "g711_alaw", Law.A)]


async def speak(client: Client, law: Law, seconds: float, quiet_seconds: float) -> None:
    """Speaks and is silent in appends of 20 ms, 160 bytes each."""
    for pcm, length in ((speech(STEP_S, 8_000), seconds), (silence(STEP_S, 8_000), quiet_seconds)):
        codes = g711.encode(pcm, law)
        assert len(codes) == 160
        audio = base64.b64encode(codes).decode()
        for _ in range(round(length / STEP_S)):
            await client.send(type="input_audio_buffer.append", audio=audio)


def events_of(client: Client, kind: str) -> list[dict[str, Any]]:
    return [event for event in client.told if isinstance(event, dict) and event["type"] == kind]


def audio_of(client: Client, kind: str) -> bytes:
    return b"".join(base64.b64decode(event["delta"]) for event in events_of(client, kind))


def ga_session(name: str) -> dict[str, Any]:
    audio = {"input": {"format": {"type": name}}, "output": {"format": {"type": name}}}
    return {"type": "realtime", "audio": audio}


@pytest.mark.parametrize(("name", "_", "law"), LAWS)
async def test_a_spoken_turn_is_understood_and_answered_in_telephone_audio(name: str, _: str, law: Law) -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, GA_PATH) as client:
        await client.send(type="session.update", session=ga_session(name))
        session = (await client.until("session.updated"))["session"]
        assert session["audio"]["input"]["format"] == {"type": name}
        assert session["audio"]["output"]["format"] == {"type": name}
        await speak(client, law, 0.8, 0.8)
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        assert done["response"]["audio"]["output"]["format"] == {"type": name}
        for event in client.told:
            SERVER_EVENT.validate_python(event)
        codes = audio_of(client, "response.output_audio.delta")
        # One byte a sample: as long as the reply takes to say.
        assert abs(len(codes) / 8_000 - 0.02 * len(REPLY)) < 0.01
        assert np.abs(np.frombuffer(g711.decode(codes, law), "<i2")).max() > 1_000
        (stopped,) = events_of(client, "input_audio_buffer.speech_stopped")
        # Milliseconds of what was spoken, whatever it is coded in.
        assert abs(stopped["audio_end_ms"] - 800) <= 40


@pytest.mark.parametrize(("_", "name", "law"), LAWS)
async def test_the_beta_has_its_own_names_for_the_same_formats(_: str, name: str, law: Law) -> None:
    async with scripted_edge(Script()) as address, connected(address, OLD_PATH) as client:
        formats = {"input_audio_format": name, "output_audio_format": name}
        await client.send(type="session.update", session=formats)
        session = (await client.until("session.updated"))["session"]
        assert formats.items() <= session.items()
        await speak(client, law, 0.6, 0.8)
        done = await client.until("response.done")
        assert done["response"]["output_audio_format"] == name
        codes = audio_of(client, "response.audio.delta")
        assert abs(len(codes) / 8_000 - 0.02 * len(REPLY)) < 0.01


async def test_both_directions_have_a_format_of_their_own() -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        audio = {"input": {"format": {"type": "audio/pcma"}}}
        await client.send(type="session.update", session={"type": "realtime", "audio": audio})
        session = (await client.until("session.updated"))["session"]
        assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24_000}
        await speak(client, Law.A, 0.6, 0.8)
        await client.until("response.done")
        pcm = audio_of(client, "response.output_audio.delta")
        assert abs(len(pcm) / 2 / 24_000 - 0.02 * len(REPLY)) < 0.01


async def test_a_reply_is_cut_by_milliseconds_in_telephone_audio_too() -> None:
    script = Script(replies=[" ".join(f"word{number}" for number in range(50))])
    async with scripted_edge(script) as address, connected(address, GA_PATH) as client:
        await client.send(type="session.update", session=ga_session("audio/pcmu"))
        await client.send(type="response.create")
        first = await client.until("response.output_audio.delta")
        await client.send(type="response.cancel")
        await client.until("response.done")
        item_id = first["item_id"]
        await client.send(type="conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=60)
        await client.until("conversation.item.truncated")
        await client.send(type="conversation.item.retrieve", item_id=item_id)
        retrieved = await client.until("conversation.item.retrieved")
        assert retrieved["item"]["content"][0]["transcript"] in ("", "word0")


async def test_one_byte_is_a_whole_sample_of_telephone_audio_and_half_a_sample_of_pcm() -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        one_byte = base64.b64encode(b"\0").decode()
        await client.send(type="input_audio_buffer.append", audio=one_byte)
        assert (await client.until("error"))["error"]["code"] == "invalid_audio"
        await client.send(type="session.update", session=ga_session("audio/pcmu"))
        await client.send(type="input_audio_buffer.append", audio=one_byte)
        await client.send(type="session.update", session={"type": "realtime"})
        await client.until("session.updated")
        await client.until("session.updated")
        assert client.kinds.count("error") == 1


async def test_a_minute_in_one_append_is_taken_whole() -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        await client.send(type="session.update", session=ga_session("audio/pcmu"))
        minute = g711.encode(silence(59.0, 8_000) + speech(0.5, 8_000) + silence(0.5, 8_000), Law.MU)
        await client.send(type="input_audio_buffer.append", audio=base64.b64encode(minute).decode())
        started = await client.until("input_audio_buffer.speech_started")
        assert abs(started["audio_start_ms"] - 59_000) < 400
        await client.until("response.done")


@pytest.mark.parametrize(
    ("audio", "param"),
    [
        ({"input": {"format": {"type": "audio/opus"}}}, "session.audio.input.format.type"),
        ({"output": {"format": {"type": "audio/opus"}}}, "session.audio.output.format.type"),
        ({"input": {"format": {}}}, "session.audio.input.format.type"),
        ({"output": {"format": {"type": "audio/pcmu", "rate": 16_000}}}, "session.audio.output.format.rate"),
    ],
)
async def test_a_format_that_is_not_spoken_is_an_error_that_names_the_field(audio: dict[str, Any], param: str) -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        await client.send(type="session.update", session={"type": "realtime", "audio": audio})
        assert (await client.until("error"))["error"]["param"] == param


async def test_a_response_has_its_own_format_where_it_asks_for_one() -> None:
    async with scripted_edge(Script()) as address, connected(address, GA_PATH) as client:
        await client.send(type="session.update", session=ga_session("audio/pcma"))
        own = {"output": {"format": {"type": "audio/pcmu"}}}
        await client.send(type="response.create", response={"audio": own})
        done = await client.until("response.done")
        assert done["response"]["audio"]["output"]["format"] == {"type": "audio/pcmu"}
        codes = audio_of(client, "response.output_audio.delta")
        assert (
            g711.decode(codes, Law.MU)[4_000:4_002] == g711.decode(g711.encode(speech(0.01, 8_000), Law.MU), Law.MU)[:2]
        )
        await client.send(type="response.create")
        after = await client.until("response.done")
        assert after["response"]["audio"]["output"]["format"] == {"type": "audio/pcma"}
