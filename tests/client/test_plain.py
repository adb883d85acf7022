"""The client of the plain protocol, with the real edge over scripted stages, and with servers that misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from chassis.errors import Code, StageError
from client.errors import ConnectionLostError, ProtocolError, RejectedError, ReplyTimeoutError, UnreachableError
from client.plain import PlainClient
from client.plain_events import (
    Ack,
    AudioGap,
    Configured,
    Event,
    Failure,
    ReplyAudio,
    ReplyDone,
    ReplyStarted,
    ReplyText,
    SpeechStopped,
    Transcript,
    Unknown,
    parse_text,
)
from tests.support.edge import scripted_edge
from tests.support.scripted import Script, silence, speech

REPLY = "It is noon. The sun is high."


@asynccontextmanager
async def talking(script: Script, **settings: Any) -> AsyncIterator[PlainClient]:
    async with (
        scripted_edge(script, **settings) as address,
        PlainClient.connect(f"ws://{address}/realtime") as client,
        asyncio.timeout(20),
    ):
        yield client


async def until(client: PlainClient, kind: type[Event]) -> list[Event]:
    """The events up to one of a kind."""
    events = []
    async for event in client:
        events.append(event)
        if isinstance(event, kind):
            return events
    pytest.fail(f"the server closed before it sent {kind.__name__}")


async def test_two_turns_are_spoken() -> None:
    async with talking(Script(texts=["what time is it", "and now"])) as client:
        for number in (1, 2):
            await client.send_audio(speech(0.8) + silence(0.8))
            events = await until(client, ReplyDone)
            assert [event.text for event in events if isinstance(event, Transcript)] == [
                ("what time is it", "and now")[number - 1]
            ]
            (started,) = [event for event in events if isinstance(event, ReplyStarted)]
            audio = [event for event in events if isinstance(event, ReplyAudio)]
            position = 0
            for piece in audio:
                assert (piece.item_id, piece.position) == (started.item_id, position)
                position += len(piece.pcm) // 2
            assert position == 480 * len(REPLY)
            assert "".join(event.text for event in events if isinstance(event, ReplyText)) == REPLY
            assert isinstance(events[-1], ReplyDone)
            assert (events[-1].status, events[-1].heard) == ("completed", REPLY)


async def test_audio_far_beyond_the_window_arrives_whole() -> None:
    async with talking(Script(), plain_queue_ms=400) as client:
        assert client.session.limits.window_ms == 200
        await client.send_audio(speech(3.0) + silence(1.0))
        assert len(client.unacknowledged) <= 10
        events = await until(client, ReplyDone)
        assert [event.at_ms for event in events if isinstance(event, SpeechStopped)] == [3_000]
        assert not any(isinstance(event, Failure) for event in events)


async def test_a_session_that_stands_still_holds_the_client_at_its_window() -> None:
    down = {"vad": StageError(Code.UNAVAILABLE, "DOWN", "gone for good")}
    async with talking(Script(failures=down)) as client:
        # The session takes 10 s before it waits for the VAD.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await client.send_audio(speech(14.0))
        assert sum(len(frame) - 8 for frame in client.unacknowledged) == 32_000
        assert await client.ping() < 1.0


async def test_a_muted_microphone_keeps_its_place_in_time() -> None:
    async with talking(Script()) as client:
        await client.send_audio(silence(0.1))
        client.skip_audio(8_000)
        await client.send_audio(silence(0.5))
        events = await until(client, Ack)
        while (ack := events[-1]) != Ack(29, 17_600, 1_000):
            assert isinstance(ack, Ack)
            events += await until(client, Ack)
        assert AudioGap(500, 0) in events


async def test_what_is_asked_for_is_answered() -> None:
    script = Script()
    async with talking(script) as client:
        await client.configure(voice="anna", eagerness="low")
        (configured,) = await until(client, Configured)
        assert isinstance(configured, Configured)
        assert (configured.config["voice"], configured.config["eagerness"]) == ("anna", "low")
        await client.configure(volume=11)
        (failure,) = await until(client, Failure)
        assert isinstance(failure, Failure)
        assert (failure.code, failure.field) == ("unknown_parameter", "volume")
        await client.say("hello")
        events = await until(client, ReplyStarted)
        (started,) = [event for event in events if isinstance(event, ReplyStarted)]
        await client.report_playout(started.item_id, 40.0)
        assert isinstance((await until(client, ReplyDone))[-1], ReplyDone)
    assert script.asked == [""]


async def test_pings_are_answered_although_nobody_reads() -> None:
    async with talking(Script(), plain_ping_interval_s=0.4) as client:
        await asyncio.sleep(1.3)
        assert await client.ping() < 5.0


async def test_audio_that_ends_inside_a_sample_is_refused_before_it_is_sent() -> None:
    async with talking(Script()) as client:
        with pytest.raises(ValueError, match="got 3 bytes"):
            await client.send_audio(b"abc")
        assert client.unacknowledged == []


# -- servers that misbehave --------------------------------------------------------------------------------------------

GREETING = {
    "type": "session",
    "session_id": "sess_1",
    "audio": {},
    "limits": {
        "window_ms": 40,
        "queue_ms": 80,
        "gap_ms": 1_000,
        "frame_bytes": 1_000,
        "text_characters": 100,
        "ping_interval_s": 0.1,
        "idle_timeout_s": 5,
    },
    "config": {},
}


@asynccontextmanager
async def server(behaviour: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(behaviour, "127.0.0.1", 0) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/realtime?framing=raw&x=1"


async def test_headers_are_asked_for_whatever_the_address_says() -> None:
    paths = []

    async def behave(peer: ServerConnection) -> None:
        assert peer.request is not None
        paths.append(peer.request.path)
        await peer.send(json.dumps(GREETING))

    async with server(behave) as url, PlainClient.connect(url) as client:
        assert [event async for event in client] == []
    assert paths == ["/realtime?x=1&framing=header"]


async def test_a_server_that_stops_wakes_whoever_waits_for_its_window() -> None:
    async def behave(peer: ServerConnection) -> None:
        await peer.send(json.dumps(GREETING))
        await peer.recv()

    async with server(behave) as url, PlainClient.connect(url) as client:
        with pytest.raises(ConnectionLostError):
            await client.send_audio(silence(1.0))
        with pytest.raises(ConnectionLostError):
            await client.ping()


async def test_a_server_that_goes_silent_is_taken_to_be_gone() -> None:
    async def behave(peer: ServerConnection) -> None:
        await peer.send(json.dumps(GREETING))
        await peer.wait_closed()

    async with server(behave) as url, PlainClient.connect(url) as client:
        with pytest.raises(ReplyTimeoutError):
            await client.ping(timeout_s=0.05)
        with pytest.raises(ConnectionLostError, match="sent nothing for"):
            await anext(client)


@pytest.mark.parametrize(
    "frame", ["hello", "[]", "{}", '{"type": "ack"}', '{"type": "ack", "sequence": "x"}', b"1234567", b"12345678a"]
)
async def test_a_server_that_breaks_the_protocol_is_an_error_and_no_hang(frame: str | bytes) -> None:
    async def behave(peer: ServerConnection) -> None:
        await peer.send(json.dumps(GREETING))
        await peer.send(frame)
        await peer.wait_closed()

    async with server(behave) as url, PlainClient.connect(url) as client:
        with pytest.raises(ProtocolError):
            await anext(client)


async def test_a_refusal_is_told() -> None:
    async def behave(peer: ServerConnection) -> None:
        await peer.send(json.dumps({"type": "error", "code": "invalid_value", "message": "framing: no"}))

    async with server(behave) as url:
        with pytest.raises(RejectedError, match="framing: no"):
            async with PlainClient.connect(url):
                pass
    with pytest.raises(UnreachableError):
        async with PlainClient.connect(url):
            pass


async def test_a_greeting_without_limits_is_an_error_that_names_the_field() -> None:
    async def behave(peer: ServerConnection) -> None:
        await peer.send(json.dumps(GREETING | {"limits": {"window_ms": 40}}))

    async with server(behave) as url:
        with pytest.raises(ProtocolError, match=r"session: limits\.queue_ms"):
            async with PlainClient.connect(url):
                pass


async def test_what_newer_servers_say_is_no_error() -> None:
    assert parse_text('{"type": "weather", "sky": "blue"}') == Unknown("weather", {"sky": "blue"})
    assert parse_text('{"type": "speech_stopped", "at_ms": 5, "more": 1}') == SpeechStopped(5)
