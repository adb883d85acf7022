import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from client.sound import microphone
from client.sound.loudspeaker import Position
from client.sound.microphone import Audio, DeviceLostError, block_frames, open_audio
from client.sound.speech import SpeechError
from tests.support.audio import tone
from tests.support.sounddevice import FRAMES, ScriptedDevices, ScriptedError


@asynccontextmanager
async def opened(
    devices: ScriptedDevices, *, input_device: int | str | None = None, output_device: int | str | None = None
) -> AsyncIterator[Audio]:
    async with open_audio(devices, input_device=input_device, output_device=output_device) as audio:
        yield audio


@pytest.mark.parametrize(
    ("rates", "input_rate", "output_rate"),
    [
        ((16_000, 24_000, 48_000), 24_000, 24_000),
        ((16_000, 44_100), 16_000, 44_100),
        ((44_100,), 44_100, 44_100),
    ],
)
async def test_devices_run_at_the_protocols_rate_where_they_can(
    rates: Sequence[int], input_rate: int, output_rate: int
) -> None:
    devices = ScriptedDevices(rates=rates, own_rate=44_100)
    async with opened(devices) as audio:
        assert devices.recorder.rate == input_rate
        assert devices.player.rate == output_rate
        assert (devices.recorder.frames, devices.player.frames) == (block_frames(input_rate), block_frames(output_rate))
        assert audio.input == f"desk, {input_rate / 1000:g} kHz, 20 ms"


async def test_a_device_is_chosen_by_number_or_by_name() -> None:
    devices = ScriptedDevices()
    async with opened(devices, input_device="head", output_device=1):
        assert (devices.recorder.device, devices.player.device) == (1, 1)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (7, "microphone 7 is no such device; expected one of: 0 desk, 1 headset"),
        ("kitchen", "microphone 'kitchen' is no such device; expected one of: 0 desk, 1 headset"),
        ("e", "microphone 'e' is the name of several; expected one of: 0 desk, 1 headset"),
    ],
)
async def test_a_device_that_is_not_there_is_said_with_what_there_is(wanted: int | str, problem: str) -> None:
    with pytest.raises(SpeechError) as error:
        async with opened(ScriptedDevices(), input_device=wanted):
            pass
    assert str(error.value) == problem


async def test_a_machine_without_devices_is_said_so() -> None:
    with pytest.raises(SpeechError, match=r"^this machine has no microphone$"):
        async with opened(ScriptedDevices(names=())):
            pass


async def test_a_device_that_does_nothing_right_is_said_so() -> None:
    with pytest.raises(SpeechError, match=r"^desk cannot be used: no such rate$"):
        async with opened(ScriptedDevices(rates=())):
            pass


async def test_a_device_that_cannot_be_opened_is_said_so_and_the_other_is_closed() -> None:
    devices = ScriptedDevices(fails=ScriptedError("device is busy"))
    with pytest.raises(SpeechError, match="no microphone or loudspeaker: device is busy"):
        async with opened(devices):
            pass
    assert devices.open == 0


async def test_what_is_recorded_comes_in_blocks_and_what_is_pushed_is_played() -> None:
    devices = ScriptedDevices()
    async with opened(devices) as audio:
        devices.recorder.hear(tone(0.04))
        blocks = aiter(audio.microphone)
        assert await anext(blocks) + await anext(blocks) == tone(0.04)
        audio.playback.push(tone(0.04), "item_1")
        assert devices.player.play() == tone(0.04)[: 2 * FRAMES]
    assert devices.open == 0


async def test_the_position_follows_the_devices_own_clock() -> None:
    devices = ScriptedDevices()
    async with opened(devices) as audio:
        audio.playback.push(tone(1.0), "item_1")
        devices.player.clock = 100.0
        devices.player.play(heard_in_s=0.05)
        assert audio.position() == Position("item_1", 0.0, playing=True)
        devices.player.clock = 100.055
        position = audio.position()
        assert position is not None
        assert position.audio_ms == pytest.approx(5, abs=0.05)


async def test_a_device_that_does_not_know_when_it_plays_has_its_latency_counted() -> None:
    devices = ScriptedDevices()
    async with opened(devices) as audio:
        audio.playback.push(tone(1.0), "item_1")
        devices.player.clock = 100.0
        devices.player.play(heard_in_s=None)
        devices.player.clock = 100.025
        position = audio.position()
        assert position is not None
        assert position.audio_ms == pytest.approx(5, abs=0.05)


async def test_an_overflow_is_counted_and_silence_stands_for_what_was_lost() -> None:
    devices = ScriptedDevices()
    async with opened(devices) as audio:
        devices.recorder.clock = 10.0
        devices.recorder.hear(tone(0.02))
        devices.recorder.clock = 10.04
        devices.recorder.hear(tone(0.02), overflow=True)
        blocks = aiter(audio.microphone)
        assert [await anext(blocks) for _ in range(3)] == [tone(0.02), bytes(960), tone(0.02)]
        assert audio.microphone.overflows == 1


async def test_an_underflow_counts_only_while_a_reply_is_played() -> None:
    devices = ScriptedDevices()
    async with opened(devices) as audio:
        devices.player.play(underflow=True)
        assert audio.playback.underflows == 0
        audio.playback.push(tone(0.1), "item_1")
        devices.player.play(underflow=True)
        assert audio.playback.underflows == 1


@pytest.mark.parametrize("which", ["recorder", "player"])
async def test_a_device_that_ends_in_mid_conversation_is_lost(which: str) -> None:
    devices = ScriptedDevices()
    async with opened(devices) as audio:
        getattr(devices, which).finish()
        what = {"recorder": "microphone", "player": "loudspeaker"}[which]
        with pytest.raises(DeviceLostError, match=f"^the {what} is gone: desk; `voxfleet talk --list-devices`"):
            await audio.watch()


async def test_a_device_that_falls_silent_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone, "SILENT_S", 0.05)
    async with opened(ScriptedDevices()) as audio, asyncio.timeout(5):
        with pytest.raises(DeviceLostError):
            await audio.watch()


async def test_a_device_that_cannot_be_closed_does_not_keep_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone, "_CLOSE_S", 0.05)
    devices = ScriptedDevices()
    async with asyncio.timeout(5), opened(devices):
        devices.stuck.clear()
    assert devices.open > 0
    devices.stuck.set()
