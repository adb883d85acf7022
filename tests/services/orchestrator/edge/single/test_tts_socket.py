"""The synthesiser of `/ws/tts` over a real WebSocket, stages scripted."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chassis.errors import Code, StageError
from services.orchestrator.edge.single.tts_socket import MAX_WAITING
from tests.services.orchestrator.edge.single.clients import freed, serving
from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script

TEXT = "It is noon. The sun is high."


def seconds(client: Client) -> float:
    """Seconds of audio so far."""
    return sum(len(frame) for frame in client.told if isinstance(frame, bytes)) / 2 / 24_000


async def test_text_in_speech_out_after_the_format_was_declared() -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, "/ws/tts") as client:
        ready = await client.until("ready")
        assert ready["audio"] == {"encoding": "pcm_s16le", "sample_rate": 24_000, "channels": 1}
        assert ready["voices"] == ["anna", "bert"]
        await client.send(type="synthesize", text=TEXT, id="a")
        done = await client.until("synthesis_done")
        assert done == {"type": "synthesis_done", "id": "a"}
        assert client.kinds[1] == "audio"
        assert abs(seconds(client) - 0.02 * len(TEXT)) < 0.01
        await freed(script)


async def test_a_voice_is_set_for_all_that_follows_and_named_for_one() -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, "/ws/tts") as client:
        await client.send(type="set_voice", voice="anna", speed=1.5)
        assert (await client.until("voice_set"))["voice"] == "anna"
        await client.send(type="synthesize", text="one")
        await client.send(type="synthesize", text="two", voice="bert", language="en", speed=1.0)
        await client.send(type="synthesize", text="three")
        for _ in range(3):
            await client.until("synthesis_done")
    assert [(config.voice, config.speed) for config in script.voices] == [("anna", 1.5), ("bert", 1.0), ("anna", 1.5)]


async def test_openai_s_voices_stand_for_the_default_of_the_text_s_language() -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, "/ws/tts") as client:
        await client.send(type="synthesize", text="现在是中午。", voice="alloy")
        await client.until("synthesis_done")
    assert (script.voices[0].voice, script.voices[0].language) == ("", "zh")


BAD: list[tuple[str | bytes, str, str | None]] = [
    (b"\0\0", "invalid_frame", None),
    ("hello", "invalid_json", None),
    ('{"type":"dance"}', "invalid_value", "type"),
    ('{"type":"synthesize"}', "missing_required_parameter", "text"),
    ('{"type":"synthesize","text":"  "}', "invalid_field", "text"),
    ('{"type":"synthesize","text":"hi","speed":9}', "invalid_value", "speed"),
    ('{"type":"synthesize","text":"hi","voice":"zoe"}', "invalid_field", "voice"),
    ('{"type":"synthesize","text":"' + "x" * 5_000 + '"}', "invalid_value", "text"),
    ('{"type":"set_voice","voice":"zoe"}', "invalid_field", "voice"),
    ('{"type":"set_voice","reference_audio":"AAAA"}', "cloning_unsupported", "reference_audio"),
]


@pytest.mark.parametrize(("frame", "code", "field"), BAD)
async def test_a_bad_frame_is_an_error_and_the_connection_lives(
    frame: str | bytes, code: str, field: str | None
) -> None:
    async with scripted_edge(Script()) as address, connected(address, "/ws/tts") as client:
        await client.socket.send(frame)
        error = await client.until("error")
        assert (error["code"], error.get("field")) == (code, field)
        await client.send(type="synthesize", text=TEXT)
        await client.until("synthesis_done")


async def test_the_queue_has_a_bound() -> None:
    script = Script(audio_delay_s=30)
    async with scripted_edge(script) as address, connected(address, "/ws/tts") as client:
        await client.send(type="synthesize", text="spoken")
        await serving(script, "tts")
        for number in range(MAX_WAITING + 1):
            await client.send(type="synthesize", text="waits", id=str(number))
        error = await client.until("error")
        assert (error["code"], error["id"]) == ("queue_full", str(MAX_WAITING))


async def test_cancel_stops_what_is_spoken_drops_what_waits_and_frees_the_stream() -> None:
    script = Script(audio_delay_s=30)
    async with scripted_edge(script) as address, connected(address, "/ws/tts") as client:
        await client.send(type="synthesize", text="spoken", id="a")
        await client.send(type="synthesize", text="waits", id="b")
        await serving(script, "tts")
        await client.send(type="cancel")
        cancelled = {(await client.until("synthesis_cancelled"))["id"] for _ in range(2)}
        assert cancelled == {"a", "b"}
        await freed(script)
        script.audio_delay_s = 0
        await client.send(type="synthesize", text=TEXT, id="c")
        assert (await client.until("synthesis_done"))["id"] == "c"


async def test_a_client_that_leaves_frees_the_stream() -> None:
    script = Script(audio_delay_s=30)
    async with scripted_edge(script) as address:
        async with connected(address, "/ws/tts") as client:
            await client.send(type="synthesize", text=TEXT)
            await serving(script, "tts")
        await freed(script)


async def test_a_synthesis_that_fails_says_so_and_the_next_one_is_spoken() -> None:
    script = Script(failures={"tts": StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")})
    async with scripted_edge(script) as address, connected(address, "/ws/tts") as client:
        await client.send(type="synthesize", text=TEXT, id="a")
        error = await client.until("error")
        assert (error["code"], error["stage"], error["id"]) == ("gone", "tts", "a")
        assert await client.until("synthesis_done") == {"type": "synthesis_done", "id": "a", "failed": True}
        script.failures.clear()
        await client.send(type="synthesize", text=TEXT)
        done: dict[str, Any] = await client.until("synthesis_done")
        assert "failed" not in done


async def test_one_client_too_many_is_refused_before_it_connects() -> None:
    async with scripted_edge(Script(), max_requests=1) as address:
        async with connected(address, "/ws/tts"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://{address}/ws/tts")
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "1"
        async with asyncio.timeout(5):
            while True:
                with suppress(InvalidStatus):  # until the first one's place is free
                    await (await connect(f"ws://{address}/ws/tts")).close()
                    break


async def test_an_idle_client_is_closed_but_not_while_it_listens() -> None:
    script = Script(audio_delay_s=0.5)
    async with (
        scripted_edge(script, session_idle_timeout_s=0.2) as address,
        connected(address, "/ws/tts") as client,
    ):
        await client.send(type="synthesize", text=TEXT)
        await client.until("synthesis_done")
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
