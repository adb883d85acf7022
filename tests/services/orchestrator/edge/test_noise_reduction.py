"""Noise reduction as clients ask for it, over real WebSockets; the scripted VAD takes anything loud for speech."""

import base64
from typing import Any

import numpy as np
import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from services.orchestrator import noise_reduction
from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script

REALTIME, PLAIN = "/v1/realtime?model=gpt-realtime", "/realtime"
SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def hiss(seconds: float, rate: int) -> bytes:
    """Noise that is loud enough for the scripted VAD."""
    return (np.random.default_rng(0).standard_normal(int(seconds * rate)) * 3_000).astype("<i2").tobytes()


async def ask(client: Client, reduction: Any) -> Any:
    """Asks for it; gives what the session says it does."""
    session = {"type": "realtime", "audio": {"input": {"noise_reduction": reduction}}}
    await client.send(type="session.update", session=session)
    updated = await client.until("session.updated")
    SERVER_EVENT.validate_python(updated)
    return updated["session"]["audio"]["input"]["noise_reduction"]


async def append(client: Client, pcm: bytes) -> None:
    await client.send(type="input_audio_buffer.append", audio=base64.b64encode(pcm).decode())


async def test_a_session_reduces_no_noise_until_it_is_asked_to_and_says_what_it_does() -> None:
    async with scripted_edge(Script()) as address, connected(address, REALTIME) as client:
        created = await client.until("session.created")
        assert created["session"]["audio"]["input"]["noise_reduction"] is None
        assert await ask(client, {"type": "near_field"}) == {"type": "near_field"}
        assert await ask(client, {"type": "far_field"}) == {"type": "far_field"}
        await client.send(type="session.update", session={"type": "realtime", "audio": {"input": {}}})
        updated = await client.until("session.updated")
        assert updated["session"]["audio"]["input"]["noise_reduction"] == {"type": "far_field"}
        assert await ask(client, None) is None


@pytest.mark.parametrize("kind", ["near_field", "far_field"])
async def test_noise_is_no_speech_while_it_is_reduced_and_is_again_when_it_is_not(kind: str) -> None:
    async with scripted_edge(Script()) as address, connected(address, REALTIME) as client:
        await ask(client, {"type": kind})
        await append(client, bytes(2 * 24_000))
        await append(client, hiss(2, 24_000))
        await append(client, bytes(2 * 24_000))
        assert await ask(client, None) is None
        await append(client, hiss(0.4, 24_000))
        await append(client, bytes(2 * 24_000))
        started = await client.until("input_audio_buffer.speech_started")
        # A second of silence, two of noise, a second of silence, less the padding: to the frame of 20 ms.
        assert abs(started["audio_start_ms"] - (4_000 - 300)) <= 20
        await client.until("response.done")
    assert client.kinds.count("input_audio_buffer.speech_started") == 1


BAD: list[tuple[Any, str, str]] = [
    ({"type": "mid_field"}, "invalid_value", ".type"),
    ({}, "missing_required_parameter", ".type"),
    ("near_field", "invalid_value", ""),
    ({"type": "near_field", "level": 3}, "unknown_parameter", ".level"),
]


@pytest.mark.parametrize(("reduction", "code", "field"), BAD)
async def test_a_bad_wish_is_an_error_that_names_the_field(reduction: Any, code: str, field: str) -> None:
    async with scripted_edge(Script()) as address, connected(address, REALTIME) as client:
        session = {"type": "realtime", "audio": {"input": {"noise_reduction": reduction}}}
        await client.send(type="session.update", session=session)
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"]) == (code, f"session.audio.input.noise_reduction{field}")
        assert await ask(client, {"type": "near_field"}) == {"type": "near_field"}


async def test_a_server_without_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_reduction, "_LIBRARY", None)
    async with scripted_edge(Script()) as address, connected(address, REALTIME) as client:
        session = {"type": "realtime", "audio": {"input": {"noise_reduction": {"type": "near_field"}}}}
        await client.send(type="session.update", session=session)
        error = (await client.until("error"))["error"]
        assert error["param"] == "session.audio.input.noise_reduction.type"
        assert "installed without it" in error["message"]
        assert await ask(client, None) is None


async def test_the_plain_protocol_switches_it_on_and_off() -> None:
    async with scripted_edge(Script()) as address, connected(address, PLAIN) as client:
        await client.send(type="configure", noise_reduction="near_field")
        await client.until("configured")
        await client.send(type="configure", silence_ms=400)
        await client.until("configured")
        await client.socket.send(hiss(2, 16_000) + bytes(2 * 16_000))
        await client.send(type="configure", noise_reduction=None)
        await client.until("configured")
        await client.socket.send(hiss(0.4, 16_000) + bytes(2 * 16_000))
        started = await client.until("speech_started")
        assert abs(started["at_ms"] - (3_000 - 300)) <= 20
        await client.until("reply_done")
    assert client.kinds.count("speech_started") == 1


async def test_the_plain_protocol_names_the_field_of_a_bad_wish() -> None:
    async with scripted_edge(Script()) as address, connected(address, PLAIN) as client:
        await client.send(type="configure", noise_reduction="mid_field")
        error = await client.until("error")
        assert (error["code"], error["field"]) == ("invalid_value", "noise_reduction")
        assert "near_field" in error["message"]
