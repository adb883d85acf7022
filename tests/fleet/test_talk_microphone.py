"""`voxfleet talk` with the real fleet, and with a sound system whose microphone hears what the test says."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from client.sound.hearing import transcribe
from client.sound.speech import synthesise
from client.turns import SAMPLE_RATE, audible_span
from tests.fleet.conftest import Fleet
from tests.support.pulse import Pulse, missing, sound_system
from tests.support.terminal import in_terminal

PATIENCE_S = 120.0

pytestmark = [pytest.mark.fleet, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for the sound system: a socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="sound") as name:
        yield Path(name)


@pytest.fixture
async def pulse(folder: Path) -> AsyncIterator[Pulse]:
    """A microphone that works at 48 kHz and a loudspeaker at 44.1 kHz."""
    async with sound_system(folder) as running:
        yield running


def audible_samples(heard: bytearray, since: int) -> int:
    """From the first to the last that can be heard since byte `since`."""
    span = audible_span(bytes(heard[since:]))
    return 0 if span is None else span[1] - span[0]


async def until_audible(heard: bytearray, since: int) -> None:
    """Waits until the loudspeaker has played something for a second since byte `since`."""
    async with asyncio.timeout(PATIENCE_S):
        while audible_samples(heard, since) < SAMPLE_RATE:  # noqa: ASYNC110 - nothing tells when it does
            await asyncio.sleep(0.1)


async def test_a_person_talks_interrupts_and_is_answered(fleet: Fleet, pulse: Pulse) -> None:
    question, story, interruption = [
        await synthesise(text, language="en", target=fleet.target("tts"))
        for text in (
            "What is the capital of France?",
            "Tell me a long story about a dragon and a princess.",
            "Stop. What is the capital of Italy?",
        )
    ]
    command = (sys.executable, "-m", "client", "talk", "--url", fleet.realtime_url, "--language", "en")
    async with pulse.recording() as heard, in_terminal(*command, env=pulse.environment) as terminal:
        await terminal.until("listening   until q or Ctrl-C", timeout_s=PATIENCE_S)
        # Virtual devices take a second or two until they run.
        await asyncio.sleep(3)

        await pulse.say(question)
        await terminal.until("in total", timeout_s=PATIENCE_S)
        first = terminal.text
        assert "France" in first
        assert "Paris" in first
        assert "end of turn" in first
        await until_audible(heard, 0)
        await asyncio.sleep(3)
        assert "Paris" in await transcribe(bytes(heard), language="en", target=fleet.target("stt"))

        asked = len(heard)
        await pulse.say(story)
        await until_audible(heard, asked)
        await pulse.say(interruption)
        await terminal.until("cut off", timeout_s=PATIENCE_S)
        await terminal.until("Rome", timeout_s=PATIENCE_S)

        terminal.press("q")
        async with asyncio.timeout(PATIENCE_S):
            assert await terminal.process.wait() == 0


async def test_a_sound_system_that_ends_is_told_and_ends_the_conversation(fleet: Fleet, pulse: Pulse) -> None:
    command = (sys.executable, "-m", "client", "talk", "--url", fleet.realtime_url)
    async with in_terminal(*command, env=pulse.environment) as terminal:
        await terminal.until("listening   until q or Ctrl-C", timeout_s=PATIENCE_S)
        await asyncio.sleep(2)
        await pulse.stop()
        async with asyncio.timeout(PATIENCE_S):
            assert await terminal.process.wait() == 1
        assert " is gone: default" in terminal.text
