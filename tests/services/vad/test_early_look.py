"""Asking the end-of-turn engine early."""

import asyncio

from services.vad.early_look import EarlyLook


class ScriptedEngine:
    """Answers with the length of the turn, when told to."""

    context_samples = 1

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.given_up = 0
        self.answer = asyncio.Event()

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def judge(self, turn: bytes) -> float | None:
        self.asked.append(turn)
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return float(len(turn))


async def test_the_early_answer_is_the_answer() -> None:
    engine = ScriptedEngine()
    engine.answer.set()
    async with EarlyLook(engine) as look:
        await look.begin(b"ab")
        assert await look.result(b"abcd") == 2.0
    assert engine.asked == [b"ab"]


async def test_without_an_early_question_it_is_asked_at_the_end() -> None:
    engine = ScriptedEngine()
    engine.answer.set()
    async with EarlyLook(engine) as look:
        assert await look.result(b"abcd") == 4.0
        assert await look.result(b"abcde") == 5.0


async def test_speech_that_goes_on_gives_the_early_question_up() -> None:
    engine = ScriptedEngine()
    async with EarlyLook(engine) as look:
        await look.begin(b"ab")
        await asyncio.sleep(0)
        await look.begin(b"abc")
        await asyncio.sleep(0)
        assert engine.given_up == 1
        engine.answer.set()
        assert await look.result(b"abcd") == 3.0


async def test_a_stream_that_ends_leaves_no_question_behind() -> None:
    engine = ScriptedEngine()
    async with EarlyLook(engine) as look:
        await look.begin(b"ab")
        await asyncio.sleep(0)
    assert engine.given_up == 1
