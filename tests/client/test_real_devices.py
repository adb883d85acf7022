"""Microphone and loudspeaker through the real PortAudio, whose devices are those of a virtual sound system."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from client.turns import SAMPLE_RATE
from tests.support.pulse import missing, sound_system
from tests.support.sound_check import SECONDS, loudest_hz

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for the sound system: a socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="sound") as name:
        yield Path(name)


@pytest.mark.parametrize(("microphone_rate", "speaker_rate"), [(16_000, 24_000), (48_000, 44_100)])
async def test_what_is_said_is_heard_and_what_is_played_sounds_whatever_the_devices_rates(
    folder: Path, microphone_rate: int, speaker_rate: int
) -> None:
    room = (8_000 * np.sin(np.arange(8 * SAMPLE_RATE) * 2 * np.pi * 600 / SAMPLE_RATE)).astype("<i2").tobytes()
    async with (
        sound_system(folder, microphone_rate=microphone_rate, speaker_rate=speaker_rate) as pulse,
        pulse.recording() as played,
        asyncio.timeout(60),
    ):
        check = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.sound_check"),
            stdout=asyncio.subprocess.PIPE,
            env=pulse.environment,
        )
        assert check.stdout is not None
        assert json.loads(await check.stdout.readline()) == {"open": True}
        await pulse.say(room)
        result = json.loads(await check.stdout.readline())
        await check.wait()
    assert result["heard_hz"] == pytest.approx(600, abs=2)
    assert loudest_hz(bytes(played)) == pytest.approx(440, abs=2)
    positions = result["positions"]
    assert positions == sorted(positions)
    # It tells of every moment of the tone, and ends when the last sample is in the air.
    assert positions[0] < 200
    assert SECONDS * 1000 - 300 < positions[-1] <= SECONDS * 1000
