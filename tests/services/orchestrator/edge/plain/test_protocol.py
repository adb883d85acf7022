"""The plain protocol over a real WebSocket, stages scripted, 20 ms of reply a character."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from chassis.errors import Code, StageError
from chassis.metrics import FRAMES_DROPPED
from services.orchestrator.edge.plain.framing import HEADER_BYTES, Header
from tests.support.edge import Client, connected, scripted_edge
from tests.support.metrics import value_of
from tests.support.scripted import Script, silence, speech

REPLY = "It is noon. The sun is high."
FRAME = 320
HEADER = "/realtime?framing=header"
VAD_DOWN = {"vad": StageError(Code.UNAVAILABLE, "DOWN", "gone for good")}


class Numbering:
    """Sends audio in frames with headers, as a microphone with a counter does."""

    def __init__(self, client: Client, sequence: int = 0, timestamp: int = 0) -> None:
        self._client = client
        self.sequence = sequence
        self.timestamp = timestamp

    async def speak(self, seconds: float, quiet_seconds: float) -> None:
        """Speech, then silence."""
        for pcm, length in ((speech(0.02), seconds), (silence(0.02), quiet_seconds)):
            for _ in range(round(length / 0.02)):
                await self.send(pcm)

    async def send(self, pcm: bytes) -> None:
        """The next frame."""
        await self._client.socket.send(Header(self.sequence, self.timestamp).pack() + pcm)
        self.sequence += 1
        self.timestamp += len(pcm) // 2


@asynccontextmanager
async def talking(script: Script, path: str = "/realtime", **settings: Any) -> AsyncIterator[Client]:
    async with scripted_edge(script, **settings) as address, connected(address, path) as client:
        await client.until("session")
        yield client


def told(client: Client, kind: str) -> list[dict[str, Any]]:
    """All messages of a kind so far."""
    return [message for message in client.told if isinstance(message, dict) and message["type"] == kind]


async def test_binary_speech_in_binary_speech_out() -> None:
    async with talking(Script()) as client:
        await client.speak_binary(0.8, 0.8)
        done = await client.until("reply_done")
        assert (done["status"], done["heard"]) == ("completed", REPLY)
        seconds = sum(len(frame) for frame in client.told if isinstance(frame, bytes)) / 2 / 24_000
        assert abs(seconds - 0.02 * len(REPLY)) < 0.01
        kinds = [kind for kind in client.kinds if kind not in ("audio", "reply_text", "partial")]
        assert kinds == [
            "session",
            "speech_started",
            "speech_stopped",
            "transcript",
            "reply_started",
            "marks",
            "reply_done",
        ]


async def test_the_greeting_says_formats_limits_and_configuration() -> None:
    async with talking(Script(), HEADER, plain_queue_ms=1_000, language="fr") as client:
        session = client.told[0]
        assert isinstance(session, dict)
        assert session["audio"] == {
            "encoding": "pcm_s16le",
            "channels": 1,
            "input_sample_rate": 16_000,
            "output_sample_rate": 24_000,
            "framing": "header",
        }
        assert session["limits"] == {
            "window_ms": 500,
            "queue_ms": 1_000,
            "gap_ms": 1_000,
            "frame_bytes": 15 << 20,
            "text_characters": 100_000,
            "ping_interval_s": 30.0,
            "idle_timeout_s": 300.0,
        }
        assert session["config"]["language"] == "fr"


async def test_a_written_question_is_answered_aloud() -> None:
    script = Script()
    async with talking(script) as client:
        await client.send(type="configure", language="fr", voice="anna", instructions="Be brief.", silence_ms=300)
        configured = await client.until("configured")
        assert configured["config"] == {
            "voice": "anna",
            "speed": 1.0,
            "language": "fr",
            "hint": "",
            "detection": True,
            "silence_ms": 300,
            "eagerness": None,
            "noise_reduction": None,
        }
        await client.send(type="configure", eagerness="high", speed=1.25, hint="Voxfleet")
        config = (await client.until("configured"))["config"]
        assert (config["eagerness"], config["silence_ms"]) == ("high", None)
        assert (config["speed"], config["hint"], config["voice"]) == (1.25, "Voxfleet", "anna")
        await client.send(type="text", text="hello")
        await client.until("reply_done")
        assert "audio" in client.kinds
    assert script.chats[0].instructions == "Be brief."
    assert script.voices[0].voice == "anna"
    assert script.voices[0].speed == 1.25


# -- headers -----------------------------------------------------------------------------------------------------------


async def test_audio_with_headers_is_heard_and_acknowledged_through_the_wrap() -> None:
    async with talking(Script(), HEADER) as client:
        numbering = Numbering(client, sequence=(1 << 32) - 10, timestamp=(1 << 32) - 1_000)
        await numbering.speak(0.8, 0.8)
        assert (await client.until("reply_done"))["heard"] == REPLY
        acks = told(client, "ack")
        assert acks[-1] == {"type": "ack", "sequence": 69, "position": 80 * FRAME, "window_ms": 1_000}
        positions = [ack["position"] for ack in acks]
        assert positions == sorted(set(positions))
        assert "audio_gap" not in client.kinds


async def test_replies_say_where_their_audio_lies() -> None:
    async with talking(Script(), HEADER) as client:
        sequence = 0
        for _ in range(2):
            await client.send(type="text", text="hello")
            await client.until("reply_started")
            del client.told[:]
            await client.until("reply_done")
            position = 0
            for frame in client.told:
                if isinstance(frame, bytes):
                    assert Header.unpack(frame) == Header(sequence, position)
                    sequence += 1
                    position += (len(frame) - HEADER_BYTES) // 2
            assert position == 24 * 20 * len(REPLY)


async def test_lost_frames_become_silence_where_they_were() -> None:
    async with talking(Script(), HEADER) as client:
        numbering = Numbering(client)
        await numbering.speak(0.2, 0.0)
        numbering.sequence += 2
        numbering.timestamp += 2 * FRAME
        await numbering.speak(0.6, 0.8)
        await client.until("reply_done")
        assert told(client, "speech_stopped")[0]["at_ms"] == 840
        assert told(client, "audio_gap") == [{"type": "audio_gap", "silence_ms": 40, "skipped_ms": 0}]
        assert told(client, "ack")[-1] == {"type": "ack", "sequence": 81, "position": 82 * FRAME, "window_ms": 1_000}


async def test_audio_sent_twice_is_heard_once_and_acknowledged_again() -> None:
    async with talking(Script(), HEADER) as client:
        numbering = Numbering(client)
        await numbering.speak(0.0, 0.1)
        await client.until("ack", lambda ack: ack["sequence"] == 4)
        dropped = value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="old_sequence")
        numbering.sequence, numbering.timestamp = 3, 3 * FRAME
        await numbering.speak(0.0, 0.06)
        report = await client.until("audio_dropped")
        assert (report["reason"], report["ms"]) == ("old_sequence", 40)
        ack = await client.until("ack")
        assert (ack["sequence"], ack["position"]) == (5, 6 * FRAME)
        assert value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="old_sequence") == dropped + 2


# -- a session that cannot keep up -------------------------------------------------------------------------------------


async def test_a_client_that_runs_ahead_loses_the_oldest_is_told_and_is_still_listened_to() -> None:
    script = Script(failures=VAD_DOWN)
    before = value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="input_overflow")
    async with talking(script) as client:
        # The session takes 10 s before it waits for the VAD, the queue holds 2 s more.
        for _ in range(14):
            await client.socket.send(speech(1.0))
        await client.send(type="text", text="hello")
        await client.until("reply_done")
        dropped = told(client, "audio_dropped")
        assert {message["reason"] for message in dropped} == {"input_overflow"}
        assert 1_000 <= sum(message["ms"] for message in dropped) <= 2_000
    lost = value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="input_overflow") - before
    assert 50 <= lost <= 100


async def test_a_client_that_keeps_to_its_window_loses_nothing() -> None:
    async with talking(Script(), HEADER) as client:
        numbering = Numbering(client)
        acknowledged = 0
        while numbering.sequence < 600:
            while numbering.sequence < acknowledged + 50:
                await numbering.send(silence(0.02))
            acknowledged = (await client.until("ack"))["sequence"] + 1
        await client.until("ack", lambda ack: ack["sequence"] == numbering.sequence - 1)
        assert "audio_dropped" not in client.kinds


async def test_a_recording_in_one_message_is_heard_whole() -> None:
    async with talking(Script()) as client:
        await client.socket.send(silence(3.0) + speech(3.0) + silence(3.0))
        assert (await client.until("speech_stopped"))["at_ms"] == 6_000
        await client.until("reply_done")
        assert "audio_dropped" not in client.kinds


async def test_a_commit_ends_the_turn_behind_the_audio_before_it_and_is_answered() -> None:
    async with talking(Script()) as client:
        await client.send(type="configure", detection=False)
        await client.until("configured")
        await client.socket.send(speech(1.5))
        await client.send(type="commit")
        await client.socket.send(speech(0.5))
        assert (await client.until("speech_stopped"))["at_ms"] == 1_500
        assert (await client.until("transcript"))["text"] == "what time is it"
        assert (await client.until("reply_done"))["heard"] == REPLY
        await client.send(type="clear")
        await client.send(type="commit")
        assert (await client.until("error"))["code"] == "input_audio_buffer_commit_empty"


async def test_a_commit_of_which_nothing_was_understood_is_not_answered() -> None:
    script = Script(texts=["", "what time is it"])
    async with talking(script) as client:
        await client.send(type="configure", detection=False)
        for heard in ("", "what time is it"):
            await client.socket.send(speech(1.0))
            await client.send(type="commit")
            assert (await client.until("transcript"))["text"] == heard
        await client.until("reply_done")
        assert client.kinds.count("reply_started") == 1


async def test_push_to_talk_cuts_a_reply_short_and_is_answered() -> None:
    script = Script(texts=["first", "second"], replies=["word " * 100, "Fine."])
    async with talking(script) as client:
        await client.send(type="configure", detection=False)
        await client.socket.send(speech(1.0))
        await client.send(type="commit")
        await client.until("reply_text")
        await client.send(type="cancel")
        await client.socket.send(speech(1.0))
        await client.send(type="commit")
        assert (await client.until("reply_done"))["status"] == "cancelled"
        assert (await client.until("reply_done"))["heard"] == "Fine."
        assert "error" not in client.kinds


async def test_commands_that_would_have_to_wait_for_ever_are_refused() -> None:
    script = Script(failures=VAD_DOWN)
    async with talking(script) as client:
        for _ in range(12):
            await client.socket.send(speech(1.0))
        for _ in range(17):
            await client.send(type="commit")
        error = await client.until("error", lambda error: error["stage"] is None)
        assert (error["code"], error["field"]) == ("too_many_commands", "type")


async def test_a_turn_that_could_not_be_transcribed_says_so() -> None:
    script = Script(failures={"stt": StageError(Code.UNAVAILABLE, "DOWN", "gone for good")})
    async with talking(script) as client:
        await client.send(type="configure", detection=False)
        await client.socket.send(speech(1.0))
        await client.send(type="commit")
        assert (await client.until("error"))["stage"] == "stt"
        await client.send(type="text", text="hello")
        await client.until("reply_done")
        assert client.kinds.count("reply_started") == 1


# -- pings -------------------------------------------------------------------------------------------------------------


async def test_a_ping_comes_back_as_it_was() -> None:
    async with talking(Script()) as client:
        await client.send(type="ping", id="a7", sent_ms=12.5)
        assert await client.until("pong") == {"type": "pong", "id": "a7", "sent_ms": 12.5}
        await client.send(type="ping")
        assert await client.until("pong") == {"type": "pong", "id": None, "sent_ms": None}


async def test_a_client_that_says_nothing_from_one_ping_to_the_next_is_closed() -> None:
    async with talking(Script(), plain_ping_interval_s=0.1) as client:
        ping = await client.until("ping")
        assert ping["id"] == "1"
        with pytest.raises(ConnectionClosed) as caught:
            await client.until("ping")
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


@pytest.mark.parametrize("answer", ['{"type": "pong", "id": "1"}', b"", '{"type": "bogus"}'])
async def test_anything_that_a_client_says_is_an_answer(answer: str | bytes) -> None:
    async with talking(Script(), plain_ping_interval_s=0.5) as client:
        for number in range(1, 4):
            assert (await client.until("ping"))["id"] == str(number)
            await client.socket.send(answer)


# -- what is wrong -----------------------------------------------------------------------------------------------------

BAD: list[tuple[str, str | bytes | dict[str, Any], str, str | None]] = [
    ("/realtime", b"\0\0\0", "invalid_audio", "audio"),
    ("/realtime", bytes(20 << 20), "audio_too_large", "audio"),
    (HEADER, b"", "invalid_audio", "audio"),
    (HEADER, b"\0" * 7, "invalid_audio", "audio"),
    (HEADER, b"\0" * 11, "invalid_audio", "audio"),
    (HEADER, bytes(40_000), "audio_too_large", "audio"),
    ("/realtime", "hello", "invalid_json", None),
    ("/realtime", '{"type": "\\ud800"}', "invalid_json", None),
    ("/realtime", "[" * 100_000, "invalid_json", None),
    ("/realtime", {"type": "dance"}, "invalid_value", "type"),
    ("/realtime", {"type": "configure", "sample_rate": 8000}, "invalid_value", "sample_rate"),
    ("/realtime", {"type": "configure", "voice": "zoe"}, "invalid_value", "voice"),
    ("/realtime", {"type": "configure", "volume": 11}, "unknown_parameter", "volume"),
    ("/realtime", {"type": "configure", "eagerness": "mad"}, "invalid_value", "eagerness"),
    ("/realtime", {"type": "configure", "eagerness": "low", "silence_ms": 5}, "invalid_value", "eagerness"),
    ("/realtime", {"type": "configure", "speed": 9}, "invalid_value", "speed"),
    ("/realtime", {"type": "text"}, "missing_required_parameter", "text"),
    ("/realtime", {"type": "ping", "id": "x" * 65}, "invalid_value", "id"),
    ("/realtime", {"type": "ping", "sent_ms": float("nan")}, "invalid_value", "sent_ms"),
    ("/realtime", {"type": "commit"}, "input_audio_buffer_commit_empty", None),
]


@pytest.mark.parametrize(("path", "frame", "code", "field"), BAD)
async def test_bad_input_is_an_error_that_names_the_field_and_the_session_lives(
    path: str, frame: str | bytes | dict[str, Any], code: str, field: str | None
) -> None:
    async with talking(Script(), path) as client:
        if code == "input_audio_buffer_commit_empty":
            await client.send(type="configure", detection=False)
        await client.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)
        error = await client.until("error")
        assert (error["code"], error["field"]) == (code, field)
        await client.send(type="text", text="hello")
        await client.until("reply_done")


async def test_a_framing_that_is_not_there_is_told_before_the_connection_is_closed() -> None:
    async with scripted_edge(Script()) as address, connected(address, "/realtime?framing=rtp") as client:
        error = await client.until("error")
        assert (error["code"], error["field"]) == ("invalid_value", "framing")
        assert "header" in error["message"]
        await asyncio.wait_for(client.socket.wait_closed(), 5)
        assert client.socket.close_code == 1008
