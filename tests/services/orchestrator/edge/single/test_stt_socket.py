"""The recogniser of `/ws/stt` and `/stream` over a real WebSocket, stages scripted."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from chassis.errors import Code, StageError
from tests.services.orchestrator.edge.single.clients import freed, serving
from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script, silence, speech

GONE = StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")


async def rest(client: Client) -> int:
    """Reads until the server closes; gives the close code."""
    with pytest.raises(ConnectionClosed) as closed:
        await client.until("the end")
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def finals(client: Client) -> list[str]:
    """The texts of the finals so far."""
    told = [message for message in client.told if isinstance(message, dict)]
    return [message["text"] for message in told if message["type"] == "transcription" and message["is_final"]]


@pytest.mark.parametrize("path", ["/ws/stt", "/stream"])
async def test_speech_becomes_partials_and_a_final_where_the_speaker_pauses(path: str) -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, path) as client:
        await client.speak_binary(0.8, 0.8)
        partial = await client.until("transcription")
        assert (partial["text"], partial["is_final"]) == ("what time is it", False)
        final = await client.until("transcription", lambda told: told["is_final"])
        assert (final["text"], final["language"]) == ("what time is it", "en")
        assert final["start_ms"] == 0
        assert 1_200 <= final["end_ms"] <= 1_400  # 800 ms of speech and the 500 ms of silence that end it
        await client.speak_binary(0.8, 0.8)
        await client.until("transcription", lambda told: told["is_final"])
    await freed(script)


END: list[str | bytes] = ['{"type":"end"}', '{"eof" : 1}', '{"type":"CloseStream"}', '{"type":"Terminate"}', b""]


@pytest.mark.parametrize("end", END)
async def test_the_end_flushes_a_final_and_closes(end: str | bytes) -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, "/ws/stt") as client:
        await client.speak_binary(0.6, 0.0)
        await client.socket.send(end)
        assert await rest(client) == 1000
        assert finals(client) == ["what time is it"]
        await freed(script)


async def test_an_end_without_speech_just_closes() -> None:
    async with scripted_edge(Script()) as address, connected(address, "/ws/stt") as client:
        await client.socket.send(silence(0.5))
        await client.send(type="end")
        assert await rest(client) == 1000
        assert client.told == []


async def test_a_recording_sent_at_once_is_heard_whole_and_in_order() -> None:
    texts = [f"sentence {number}" for number in range(8)]
    script = Script(texts=list(texts), partials=False, text_delay_s=0.02)
    async with scripted_edge(script) as address, connected(address, "/ws/stt") as client:
        # 64 s: longer than the tape, in one message.
        await client.socket.send((speech(6.0) + silence(2.0)) * len(texts))
        await client.send(type="end")
        assert await rest(client) == 1000
    assert finals(client) == texts


async def test_speech_without_a_pause_is_cut_after_a_minute() -> None:
    script = Script(texts=["first", "second"], partials=False)
    async with scripted_edge(script) as address, connected(address, "/ws/stt") as client:
        await client.socket.send(speech(70.0))
        await client.send(type="end")
        assert await rest(client) == 1000
    assert finals(client) == ["first", "second"]
    ends = [message["end_ms"] for message in client.told if isinstance(message, dict)]
    assert ends == [60_000, 70_000]


async def test_a_flush_gives_a_final_while_the_speaker_goes_on() -> None:
    script = Script(texts=["first half", "second half"])
    async with scripted_edge(script) as address, connected(address, "/ws/stt") as client:
        await client.speak_binary(0.6, 0.0)
        await client.until("transcription")
        await client.send(type="flush")
        await client.until("transcription", lambda told: told["is_final"])
        await client.speak_binary(0.6, 0.0)
        await client.send(type="end")
        await rest(client)
    assert finals(client) == ["first half", "second half"]


async def test_the_address_says_how_to_transcribe() -> None:
    script = Script()
    path = "/ws/stt?language=fr&partials=false&sample_rate=16000&whatever=1"
    async with scripted_edge(script) as address, connected(address, path) as client:
        await client.speak_binary(0.8, 0.0)
        await client.send(type="end")
        await rest(client)
        final = client.told[-1]
        assert isinstance(final, dict)
        assert (final["is_final"], final["language"]) == (True, "fr")


BAD: list[tuple[str | bytes, str, str | None]] = [
    (b"\0\0\0", "invalid_audio", "audio"),
    ("hello", "invalid_json", None),
    ("[" * 100_000, "invalid_json", None),
    ('{"type":"dance"}', "invalid_value", "type"),
    ("{}", "missing_required_parameter", "type"),
    ('{"type":"end","now":true}', "unknown_parameter", "now"),
]


@pytest.mark.parametrize(("frame", "code", "field"), BAD)
async def test_a_bad_frame_is_an_error_and_the_connection_lives(
    frame: str | bytes, code: str, field: str | None
) -> None:
    async with scripted_edge(Script()) as address, connected(address, "/ws/stt") as client:
        await client.socket.send(frame)
        error = await client.until("error")
        assert (error["code"], error.get("field")) == (code, field)
        await client.speak_binary(0.6, 0.0)
        await client.send(type="end")
        assert await rest(client) == 1000
        assert finals(client) == ["what time is it"]


@pytest.mark.parametrize(("query", "field"), [("sample_rate=8000", "sample_rate"), ("language=english", "language")])
async def test_an_address_that_asks_for_the_impossible_is_told_why(query: str, field: str) -> None:
    async with scripted_edge(Script()) as address, connected(address, f"/ws/stt?{query}") as client:
        error = await client.until("error")
        assert error["field"] == field
        assert await rest(client) == 1008


async def test_a_client_that_leaves_frees_every_stream() -> None:
    script = Script(text_delay_s=30)
    async with scripted_edge(script) as address:
        async with connected(address, "/ws/stt") as client:
            await client.speak_binary(0.8, 0.8)
            await client.until("transcription")
            await serving(script, "stt")
        await freed(script)


async def test_a_transcription_that_fails_is_told_and_the_next_one_is_heard() -> None:
    script = Script(failures={"stt": StageError.exhausted("FULL", "no room")})
    async with scripted_edge(script) as address, connected(address, "/ws/stt") as client:
        await client.speak_binary(0.4, 0.8)
        error = await client.until("error")
        assert (error["code"], error["stage"]) == ("full", "stt")
        script.failures.clear()
        await client.speak_binary(0.4, 0.8)
        await client.until("transcription", lambda told: told["is_final"])


async def test_a_text_that_does_not_come_in_time_is_an_error() -> None:
    script = Script(text_delay_s=30)
    async with scripted_edge(script, transcript_timeout_s=0.2) as address, connected(address, "/ws/stt") as client:
        await client.speak_binary(0.4, 0.8)
        assert (await client.until("error"))["code"] == "too_late"


async def test_without_voice_activity_the_socket_is_closed_with_the_reason() -> None:
    async with scripted_edge(Script(failures={"vad": GONE})) as address, connected(address, "/ws/stt") as client:
        error = await client.until("error")
        assert (error["code"], error["stage"]) == ("gone", "vad")
        assert await rest(client) == 1013


async def test_a_client_that_was_silent_for_longer_than_the_stage_waits_is_heard_again() -> None:
    waited = StageError(Code.DEADLINE_EXCEEDED, "IDLE_TIMEOUT", "the stream sent nothing for 120 s")
    script = Script(failures={"vad": waited})
    async with scripted_edge(script) as address, connected(address, "/ws/stt") as client:
        await asyncio.sleep(0.1)
        script.failures.clear()
        await client.speak_binary(0.6, 0.0)
        await client.send(type="end")
        assert await rest(client) == 1000
        assert finals(client) == ["what time is it"]


async def test_a_silent_client_is_closed_after_the_idle_limit() -> None:
    async with (
        scripted_edge(Script(), session_idle_timeout_s=0.1) as address,
        connected(address, "/ws/stt") as client,
    ):
        assert await rest(client) == 1008


async def test_frames_after_the_end_are_refused() -> None:
    script = Script(text_delay_s=0.3)
    async with scripted_edge(script) as address, connected(address, "/ws/stt") as client:
        await client.speak_binary(0.6, 0.0)
        await client.send(type="end")
        await client.socket.send(speech(0.1))
        assert (await client.until("error"))["code"] == "ended"
        await rest(client)
        assert finals(client) == ["what time is it"]
