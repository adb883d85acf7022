import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from client.bench.questions import Question
from client.bench.script import SessionScript
from client.bench.sessions import Connection, SessionResult, run_sessions
from tests.support.audio import silence, tone
from tests.support.realtime import Peer, scripted_server

NOON = Question("noon", "Is it noon?", tone(0.2))
MARKS = {"endpoint": 100, "audio_sent": 110}


async def converse(url: str, *turns: Question, stall_s: float = 5.0, **changes: object) -> SessionResult:
    """One session that asks these questions, 50 ms after each reply."""
    script = SessionScript(0.0, [(0.05, each) for each in turns])
    (result,) = await run_sessions(Connection(url, stall_s=stall_s, **changes), [script])  # type: ignore[arg-type]
    return result


async def answer(peer: Peer, number: int, understood: str = "is it noon") -> None:
    """Waits for a question and answers it."""
    item, response = f"item_{number}", f"resp_{number}"
    await peer.hear_question()
    await peer.send("conversation.item.input_audio_transcription.completed", item_id=item, transcript=understood)
    await peer.send("voxfleet.turn.marks", response_id=response, user_item_id=item, draft="kept", marks=MARKS)
    await peer.reply(silence(0.05) + tone(0.1), "Yes.", response_id=response)


async def keep_reading(peer: Peer) -> None:
    """Until the client is gone, however it went."""
    try:
        while True:
            await peer.receive()
    except ConnectionClosed:
        return


async def test_every_question_of_a_session_is_measured() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await answer(peer, 1)
        await answer(peer, 2, "is it new")
        await keep_reading(peer)

    async with scripted_server(script) as url:
        result = await converse(url, NOON, NOON)
    first, second = result.turns
    assert (first.warm_up, second.warm_up) == (True, False)
    assert (first.understood, second.understood) == ("is it noon", "is it new")
    for turn in result.turns:
        assert turn.failure is None
        assert not turn.cut_off
        assert (turn.marks, turn.draft) == (MARKS, "kept")
        assert turn.voice_to_voice_ms is not None
        # The server answers after 100 ms of silence, with 50 ms more at the head; less what a late block takes away.
        assert turn.voice_to_voice_ms > 100
    assert result.blocks >= 2 * (10 + 5)
    assert result.connected_s >= 2 * (0.2 + 0.1 + 0.15 + 0.05)


async def test_the_next_question_waits_until_the_reply_was_played() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await peer.reply(tone(0.6), "A long answer, sent at once.")
        answered = asyncio.get_running_loop().time()
        await peer.hear_question()
        # A whole question and its silence lie behind the reply.
        assert asyncio.get_running_loop().time() - answered >= 0.6 + 0.2 + 0.05
        await peer.reply(tone(0.1), "Yes.", response_id="resp_2")
        await keep_reading(peer)

    async with scripted_server(script) as url:
        result = await converse(url, NOON, NOON)
    assert [turn.failure for turn in result.turns] == [None, None]


async def test_what_comes_after_the_reply_still_belongs_to_its_turn() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await peer.reply(tone(0.1), "Yes.")
        await peer.send(
            "conversation.item.input_audio_transcription.completed", item_id="item_1", transcript="is it noon"
        )
        await keep_reading(peer)

    async with scripted_server(script) as url:
        result = await converse(url, NOON)
    assert result.turns[0].understood == "is it noon"


async def test_a_reply_that_begins_during_the_question_is_a_cut_off() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question(pause_s=0.06)
        await peer.audio(tone(0.02))
        await peer.done(status="cancelled", reason="turn_detected")
        await peer.hear_question()
        await peer.reply(tone(0.1), "Yes.", response_id="resp_2")
        await keep_reading(peer)

    hesitant = Question("hesitant", None, tone(0.1) + silence(0.3) + tone(0.2))
    async with scripted_server(script) as url:
        (turn,) = (await converse(url, hesitant)).turns
    assert turn.cut_off
    assert turn.failure is None
    assert turn.voice_to_voice_ms is not None


async def test_after_a_stall_the_rest_is_asked_in_a_new_connection() -> None:
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.greet()
        if connections > 1:
            await answer(peer, 1)
        await keep_reading(peer)

    async with scripted_server(script) as url:
        first, second = (await converse(url, NOON, NOON, stall_s=0.3)).turns
    assert first.failure == "nothing from the server for 0.3 s; no speech was noticed"
    assert second.failure is None
    assert connections == 2


async def test_a_failed_reply_tells_what_the_server_said() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        error = {"type": "server_error", "code": "llm_down", "message": "the language model is down"}
        await peer.send("error", error=error)
        await peer.reply(b"", "", status="failed", error={"message": "no answer"})
        await answer(peer, 2)
        await keep_reading(peer)

    async with scripted_server(script) as url:
        first, second = (await converse(url, NOON, NOON)).turns
    assert first.failure == "the reply was failed: no answer (llm_down: the language model is down)"
    assert second.failure is None


async def test_a_server_that_goes_away_fails_every_turn_that_is_left() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await peer.connection.close(1011, "out of order")

    async with scripted_server(script) as url:
        result = await converse(url, NOON, NOON, NOON)
    assert len(result.turns) == 3
    assert all(turn.failure and "out of order" in turn.failure for turn in result.turns)


async def test_the_server_is_told_what_the_connection_asks_for() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        session = (await peer.receive())["session"]
        assert session["audio"]["input"]["transcription"] == {"language": "de"}
        assert session["audio"]["input"]["turn_detection"] == {"type": "server_vad"}
        await peer.send("session.updated", session=session)
        await answer(peer, 1)
        await keep_reading(peer)

    async with scripted_server(script) as url:
        result = await converse(url, NOON, language="de", turn_detection={"type": "server_vad"})
    assert result.turns[0].failure is None


async def test_sessions_run_side_by_side() -> None:
    together = asyncio.Barrier(2)

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await together.wait()
        await peer.reply(tone(0.1), "Yes.")
        await keep_reading(peer)

    async with scripted_server(script) as url:
        plan = [SessionScript(0.0, [(0.05, NOON)])] * 2
        seen: list[int] = []
        results = await run_sessions(Connection(url, stall_s=5.0), plan, lambda turn: seen.append(turn.session))
    assert [result.turns[0].failure for result in results] == [None, None]
    assert sorted(seen) == [0, 1]


async def test_cancelling_ends_every_session() -> None:
    ended = 0

    async def script(peer: Peer) -> None:
        nonlocal ended
        await peer.greet()
        await keep_reading(peer)
        ended += 1

    async with scripted_server(script) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await run_sessions(Connection(url), [SessionScript(0.0, [(0.0, NOON)])] * 3)
    assert ended == 3
