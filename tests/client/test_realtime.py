import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from client.errors import ConnectionLostError, ProtocolError, RejectedError, ReplyTimeoutError, UnreachableError
from client.events import ErrorEvent, ServerEvent, UnknownEvent, describe_error
from client.realtime import RealtimeClient
from client.speaking import ask
from client.turns import TurnRecorder
from tests.support.audio import silence, tone
from tests.support.realtime import Peer, scripted_server

QUESTION = tone(0.2)


async def test_a_question_gets_its_reply() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await peer.send("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=300)
        await peer.send(
            "conversation.item.input_audio_transcription.completed", item_id="item_1", transcript="Capital of France?"
        )
        await peer.reply(tone(0.5), "It is Paris.")
        await peer.connection.wait_closed()

    seen: list[ServerEvent] = []

    def on_event(event: ServerEvent, recorder: TurnRecorder) -> None:
        seen.append(event)

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        turn = await ask(client, QUESTION, on_event=on_event, lead_in_s=0.1)
    assert (turn.understood, turn.answer, turn.reply_pcm) == ("Capital of France?", "It is Paris.", tone(0.5))
    assert turn.problem is None
    # The server answers after 100 ms of silence: no earlier can it have been, however slow the machine.
    assert turn.voice_to_voice_ms is not None
    assert turn.voice_to_voice_ms >= 100
    assert len(seen) == 7


async def test_audio_is_sent_in_real_time_and_as_it_is() -> None:
    heard = bytearray()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        heard.extend(peer.pcm)
        await peer.reply(tone(0.1), "Yes.")
        await peer.connection.wait_closed()

    clock = asyncio.get_running_loop().time
    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        start = clock()
        await ask(client, QUESTION, lead_in_s=0.1)
        assert clock() - start >= 0.1 + 0.2 + 0.1
    assert bytes(heard).startswith(silence(0.1) + QUESTION + silence(0.1))


async def test_the_connection_asks_for_extensions_and_carries_the_key() -> None:
    async def script(peer: Peer) -> None:
        assert peer.path == "/v1/realtime?model=x&extensions=voxfleet"
        assert peer.authorization == "Bearer secret"
        await peer.greet()
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(f"{url}?model=x", api_key="secret") as client:
        assert client.session["id"] == "sess_1"


async def test_an_update_sends_what_is_given_and_waits_for_the_answer() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("rate_limits.updated")
        update = await peer.receive()
        audio = update["session"]["audio"]
        assert audio["input"] == {
            "format": {"type": "audio/pcm", "rate": 24_000},
            "transcription": {"language": "en"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
        }
        assert audio["output"] == {"format": {"type": "audio/pcm", "rate": 24_000}}
        await peer.send("session.updated", session={"id": "sess_1", "audio": audio})
        await peer.connection.close()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        await client.update(language="en", turn_detection={"type": "server_vad", "silence_duration_ms": 300})
        assert "audio" in client.session
        # What came in between is not lost.
        assert [event.type async for event in client if isinstance(event, UnknownEvent)] == ["rate_limits.updated"]


async def test_a_session_is_configured_while_another_task_iterates() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        update = await peer.receive()
        await peer.send("rate_limits.updated")
        await peer.send("session.updated", session=update["session"])
        await peer.connection.close()

    async def iterate(client: RealtimeClient) -> list[ServerEvent]:
        return [event async for event in client]

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client, asyncio.TaskGroup() as group:
        iterating = group.create_task(iterate(client))
        await client.update(voice="anna")
    assert [event.type for event in iterating.result() if isinstance(event, UnknownEvent)] == ["rate_limits.updated"]


async def test_an_update_that_nobody_answers_is_a_timeout_and_the_next_one_is_not_mistaken_for_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        update = await peer.receive()
        await peer.send("session.updated", session=update["session"] | {"second": True})
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(url, timeout_s=0.2) as client:
        with pytest.raises(ReplyTimeoutError, match=r"did not answer within 0\.2 s"):
            await client.update(voice="anna")
        await client.update(voice="bert")
        assert client.session["second"] is True


async def test_an_update_ends_with_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        await peer.connection.close(1011, "a bug")

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(ConnectionLostError, match="1011"):
            await client.update(voice="anna")


async def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.connection.wait_closed()

    async with scripted_server(script) as url:
        with pytest.raises(LookupError, match="mine"):
            async with RealtimeClient.connect(url):
                raise LookupError("mine")


async def test_what_is_done_by_hand_goes_out_as_the_protocol_has_it() -> None:
    received: list[dict[str, object]] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        received.extend([await peer.receive() for _ in range(6)])
        await peer.connection.close()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        await client.commit_audio()
        await client.clear_audio()
        await client.send_text("Hello", respond=False)
        await client.send_tool_output("call_1", "sunny")
        await client.respond(instructions="Sing.")
        await client.cancel_response()
        assert [event async for event in client] == []
    content = [{"type": "input_text", "text": "Hello"}]
    for event in received:
        del event["event_id"]
    assert received == [
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}},
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        },
        {"type": "response.create", "response": {"instructions": "Sing."}},
        {"type": "response.cancel"},
    ]


async def test_a_refused_update_is_an_error_with_the_reason() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        update = await peer.receive()
        error = {
            "type": "invalid_request_error",
            "code": "invalid_value",
            "message": "no such voice",
            "param": "session.audio.output.voice",
            "event_id": update["event_id"],
        }
        await peer.send("error", error=error)
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(RejectedError, match=r"^invalid_value: session\.audio\.output\.voice: no such voice$"):
            await client.update(voice="nobody")


def test_a_message_that_begins_with_its_field_does_not_repeat_it() -> None:
    event = ErrorEvent("invalid_request_error", None, "audio: expected base64", "audio", None)
    assert describe_error(event) == "invalid_request_error: audio: expected base64"


async def test_an_error_during_a_turn_is_reported_and_the_turn_goes_on() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("error", error={"type": "server_error", "code": "busy", "message": "slow today"})
        await peer.hear_question()
        await peer.reply(tone(0.1), "Yes.")
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        turn = await ask(client, QUESTION, lead_in_s=0)
    assert turn.errors == (ErrorEvent("server_error", "busy", "slow today", None, None),)
    assert turn.problem is None


async def test_a_failed_response_is_a_turn_with_a_problem() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await peer.reply(b"", "", status="failed", error={"message": "the llm is down"})
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        turn = await ask(client, QUESTION, lead_in_s=0)
    assert turn.problem == "the reply was failed: the llm is down"


async def test_a_server_that_says_nothing_is_a_timeout_that_tells_how_far_it_came() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=300)
        while True:
            await peer.receive()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(
            ReplyTimeoutError, match=r"nothing from the server for 0\.2 s; speech was noticed but not und"
        ):
            await ask(client, QUESTION, lead_in_s=0, stall_s=0.2)


async def test_a_server_that_keeps_talking_may_take_longer_than_the_stall_limit() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        for _ in range(6):
            await peer.audio(tone(0.1))
            await asyncio.sleep(0.1)
        await peer.reply(b"", "Long.")
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        turn = await ask(client, QUESTION, lead_in_s=0, stall_s=0.4)
    assert turn.reply_s == pytest.approx(0.6)


@pytest.mark.parametrize(("code", "reason"), [(1001, "draining"), (1011, "a bug")])
async def test_a_connection_that_closes_in_mid_turn_is_one_error_with_its_reason(code: int, reason: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear(4800)
        await peer.connection.close(code, reason)

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(ConnectionLostError, match=f"{code}.*{reason}"):
            await ask(client, tone(1.0), lead_in_s=0)


async def test_a_message_that_is_no_event_is_a_protocol_error() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.connection.send("nonsense")
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(ProtocolError, match="expected JSON"):
            await ask(client, QUESTION)


async def test_the_error_of_a_callback_reaches_the_caller_as_it_is() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("rate_limits.updated")
        await peer.connection.wait_closed()

    def fail(event: ServerEvent, recorder: TurnRecorder) -> None:
        raise LookupError("mine")

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(LookupError, match="mine"):
            await ask(client, QUESTION, on_event=fail)


async def test_a_cancelled_question_stops_sending() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        while True:
            await peer.receive()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(client, QUESTION)
        assert not [task for task in asyncio.all_tasks() if "speak" in repr(task.get_coro())]


async def test_nobody_listening_is_said_in_one_line() -> None:
    with pytest.raises(UnreachableError, match=r"^no server at ws://127\.0\.0\.1:9/v1/realtime$"):
        async with RealtimeClient.connect("ws://127.0.0.1:9/v1/realtime"):
            pass


async def test_an_address_that_is_none_is_said_so() -> None:
    with pytest.raises(UnreachableError, match="expected a ws:// or wss:// address"):
        async with RealtimeClient.connect("http://localhost:8000"):
            pass


async def test_a_server_that_does_not_greet_is_a_timeout() -> None:
    async def script(peer: Peer) -> None:
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, AsyncExitStack() as stack:
        with pytest.raises(ReplyTimeoutError, match=r"did not answer within 0\.2 s"):
            await stack.enter_async_context(RealtimeClient.connect(url, timeout_s=0.2))


async def test_a_server_that_greets_with_an_error_is_a_refusal() -> None:
    async def script(peer: Peer) -> None:
        await peer.send("error", error={"type": "server_error", "code": "full", "message": "too many sessions"})
        await peer.connection.close()

    async with scripted_server(script) as url, AsyncExitStack() as stack:
        with pytest.raises(RejectedError, match="full: too many sessions"):
            await stack.enter_async_context(RealtimeClient.connect(url))


async def test_half_a_sample_is_not_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(ValueError, match="pcm: expected whole samples of 2 bytes, got 3 bytes"):
            await client.send_audio(b"\0\0\0")


async def test_any_event_can_be_sent_and_has_an_id_of_its_own() -> None:
    received: list[dict[str, object]] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        received.extend([await peer.receive(), await peer.receive()])
        await peer.connection.close()

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        first = await client.send("response.cancel", response_id="r")
        second = await client.send("input_audio_buffer.clear")
        assert [event async for event in client] == []
    assert json.dumps(received) == json.dumps(
        [
            {"type": "response.cancel", "event_id": first, "response_id": "r"},
            {"type": "input_audio_buffer.clear", "event_id": second},
        ]
    )
    assert first != second
