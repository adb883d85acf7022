"""The thread that decodes many utterances together, with a scripted model that says what it was asked to do."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio

from chassis.audio import Float32
from chassis.errors import StageError
from services.tts.engines.fish.chunking import ChunkPlan, Codes
from services.tts.engines.fish.runner import Runner, Speaking

FRAME = 10  # samples
PLAN = ChunkPlan(first=2, longest=4, context=2, fade_samples=0)
ENDLESS = 10**9


class Prompt(str):
    """The name of an utterance and how many frames it has, "name:frames"; "name:?" fails at once."""

    __slots__ = ()


class ScriptedModel:
    """Two rows. Every frame is its own number, every sample that number; `gate` holds steps up while cleared."""

    rows = 2
    frame_samples = FRAME

    def __init__(self) -> None:
        self.steps: list[list[str]] = []
        self.begun: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.stepping = threading.Event()
        self.broken = False
        self._names = [""] * self.rows
        self._left = [0] * self.rows
        self._spoken = [0] * self.rows

    def begin(self, row: int, prompt: Prompt) -> Codes | None:
        name, frames = prompt.split(":")
        self.begun.append(name)
        self._names[row], self._left[row], self._spoken[row] = name, int(frames), 0
        return self._next(row)

    def step(self, rows: Sequence[int]) -> list[Codes | None]:
        self.stepping.set()
        assert self.gate.wait(10)
        if self.broken:
            raise RuntimeError("the device is lost")
        self.steps.append([self._names[row] for row in rows])
        return [self._next(row) for row in rows]

    def _next(self, row: int) -> Codes | None:
        if self._left[row] == self._spoken[row]:
            return None
        self._spoken[row] += 1
        return np.array([self._spoken[row]])

    def decode(self, codes: Codes) -> Float32:
        return np.repeat(codes[0], FRAME).astype(np.float32)


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest_asyncio.fixture
async def runner(model: ScriptedModel) -> AsyncIterator[Runner[Prompt, ScriptedModel]]:
    runner: Runner[Prompt, ScriptedModel] = Runner(lambda: model, PLAN, max_pending=3)
    await runner.start(lambda _: None)
    yield runner
    model.gate.set()
    await runner.close()


async def heard(speaking: Speaking[Prompt]) -> list[float]:
    """The numbers of the frames that were heard."""
    chunks = [chunk.samples async for chunk in speaking.audio()]
    return [float(number) for number in np.concatenate(chunks)[::FRAME]]


async def until_stepping(model: ScriptedModel) -> None:
    assert await asyncio.to_thread(model.stepping.wait, 10)


async def test_an_utterance_is_heard_in_order_and_to_its_end(runner: Runner[Prompt, ScriptedModel]) -> None:
    speaking = runner.speak(Prompt("a:7"), ENDLESS, 0)
    assert await heard(speaking) == [1, 2, 3, 4, 5, 6, 7]
    assert [int(codes[0]) for codes in speaking.codes] == [1, 2, 3, 4, 5, 6, 7]


async def test_the_first_chunk_comes_while_the_rest_is_still_to_be_made(
    runner: Runner[Prompt, ScriptedModel], model: ScriptedModel
) -> None:
    async with aclosing(runner.speak(Prompt(f"a:{ENDLESS}"), 100, 0).audio()) as chunks:
        first = await anext(chunks)
    assert len(first.samples) == PLAN.first * FRAME
    assert not first.last


async def test_two_utterances_are_stepped_together(runner: Runner[Prompt, ScriptedModel], model: ScriptedModel) -> None:
    model.gate.clear()
    first = runner.speak(Prompt("a:5"), ENDLESS, 0)
    await until_stepping(model)
    second = runner.speak(Prompt("b:5"), ENDLESS, 0)
    model.gate.set()
    one, other = await asyncio.gather(heard(first), heard(second))
    assert one == other == [1, 2, 3, 4, 5]
    assert sum(step == ["a", "b"] for step in model.steps) >= 3


async def test_an_utterance_without_end_stops_at_its_limit(runner: Runner[Prompt, ScriptedModel]) -> None:
    assert len(await heard(runner.speak(Prompt(f"a:{ENDLESS}"), 30, 0))) == 30


async def test_an_utterance_without_frames_ends(runner: Runner[Prompt, ScriptedModel]) -> None:
    assert await heard(runner.speak(Prompt("a:0"), ENDLESS, 0)) == []


async def test_an_abandoned_utterance_leaves_in_the_middle_of_a_chunk(
    runner: Runner[Prompt, ScriptedModel], model: ScriptedModel
) -> None:
    async with aclosing(runner.speak(Prompt(f"a:{ENDLESS}"), ENDLESS, 0).audio()) as chunks:
        await anext(chunks)
        model.gate.clear()
        model.stepping.clear()
        await until_stepping(model)
    model.gate.set()
    model.steps.clear()
    assert await heard(runner.speak(Prompt("b:9"), ENDLESS, 0)) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert all(step == ["b"] for step in model.steps[1:])


async def test_a_reader_that_is_cancelled_abandons_its_utterance(
    runner: Runner[Prompt, ScriptedModel], model: ScriptedModel
) -> None:
    reader = asyncio.create_task(heard(runner.speak(Prompt(f"a:{ENDLESS}"), ENDLESS, 0)))
    await until_stepping(model)
    reader.cancel()
    await asyncio.wait([reader])
    await runner.call("look", lambda _: None)
    await runner.call("look", lambda _: None)
    assert runner.running == 0


async def test_those_who_wait_begin_by_priority(runner: Runner[Prompt, ScriptedModel], model: ScriptedModel) -> None:
    model.gate.clear()
    running = [runner.speak(Prompt("a:5"), ENDLESS, 0), runner.speak(Prompt("b:5"), ENDLESS, 0)]
    await until_stepping(model)
    waiting = [runner.speak(Prompt("late:3"), ENDLESS, 1), runner.speak(Prompt("soon:3"), ENDLESS, 0)]
    model.gate.set()
    await asyncio.gather(*map(heard, [*running, *waiting]))
    assert model.begun.index("soon") < model.begun.index("late")


async def test_one_too_many_is_refused(runner: Runner[Prompt, ScriptedModel], model: ScriptedModel) -> None:
    model.gate.clear()
    speaking = [runner.speak(Prompt("a:2"), ENDLESS, 0)]
    await until_stepping(model)
    speaking += [runner.speak(Prompt("b:2"), ENDLESS, 0) for _ in range(3)]
    with pytest.raises(StageError, match="tts has 3 utterances waiting") as raised:
        runner.speak(Prompt("c:2"), ENDLESS, 0)
    assert raised.value.reason == "QUEUE_FULL"
    model.gate.set()
    assert [await heard(each) for each in speaking] == [[1, 2]] * 4


async def test_a_prompt_that_fails_fails_alone(runner: Runner[Prompt, ScriptedModel]) -> None:
    good, bad = runner.speak(Prompt("a:5"), ENDLESS, 0), runner.speak(Prompt("b:?"), ENDLESS, 0)
    with pytest.raises(ValueError, match="invalid literal"):
        await heard(bad)
    assert await heard(good) == [1, 2, 3, 4, 5]


async def test_a_step_that_fails_fails_for_all_and_the_next_utterance_is_spoken(
    runner: Runner[Prompt, ScriptedModel], model: ScriptedModel
) -> None:
    model.broken = True
    speaking = [runner.speak(Prompt("a:5"), ENDLESS, 0), runner.speak(Prompt("b:5"), ENDLESS, 0)]
    results = await asyncio.gather(*map(heard, speaking), return_exceptions=True)
    assert [str(result) for result in results] == ["the device is lost"] * 2
    model.broken = False
    assert await heard(runner.speak(Prompt("c:2"), ENDLESS, 0)) == [1, 2]


async def test_who_still_reads_when_it_closes_gets_an_error() -> None:
    model = ScriptedModel()
    runner: Runner[Prompt, ScriptedModel] = Runner(lambda: model, PLAN, max_pending=3)
    await runner.start(lambda _: None)
    reader = asyncio.create_task(heard(runner.speak(Prompt(f"a:{ENDLESS}"), ENDLESS, 0)))
    await until_stepping(model)
    await runner.close()
    with pytest.raises(RuntimeError, match="the tts model is closed"):
        await reader
    with pytest.raises(RuntimeError, match="the tts model is closed"):
        await runner.call("look", lambda _: None)


async def test_a_model_that_does_not_load_says_so() -> None:
    def load() -> ScriptedModel:
        raise FileNotFoundError("no weights")

    runner: Runner[Prompt, ScriptedModel] = Runner(load, PLAN, max_pending=3)
    with pytest.raises(FileNotFoundError, match="no weights"):
        await runner.start(lambda _: None)
    await runner.close()
