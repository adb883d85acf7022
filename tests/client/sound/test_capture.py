import asyncio

import numpy as np

from client.sound.capture import InputClock, Microphone
from client.turns import audible_span
from tests.support.audio import tone

BLOCK = 960  # 20 ms at 24 kHz


def test_what_a_device_lost_is_told_by_its_clock() -> None:
    clock = InputClock(24_000)
    assert clock.missing(480, 5.0, overflow=False) == 0
    # A jump without an overflow is a clock that jitters.
    assert clock.missing(480, 5.5, overflow=False) == 0
    # The next would have been due at 5.52.
    assert clock.missing(480, 5.62, overflow=True) == 2_400
    # Due at 5.64: early is no less than nothing.
    assert clock.missing(480, 5.6, overflow=True) == 0


def test_a_device_without_a_clock_lost_one_block_and_none_loses_more_than_two_seconds() -> None:
    assert InputClock(24_000).missing(480, 0.0, overflow=True) == 480
    clock = InputClock(24_000)
    clock.missing(480, 5.0, overflow=False)
    assert clock.missing(480, 5_000.0, overflow=True) == 48_000


async def test_blocks_come_in_order_from_another_thread() -> None:
    microphone = Microphone(24_000)

    def record() -> None:
        for number in range(3):
            microphone.record(bytes([number]) * BLOCK, 0.0, overflow=False)

    await asyncio.to_thread(record)
    blocks = aiter(microphone)
    assert [await anext(blocks) for _ in range(3)] == [bytes([number]) * BLOCK for number in range(3)]


async def test_blocks_that_nobody_takes_give_way_to_newer_ones() -> None:
    microphone = Microphone(24_000)
    for number in range(60):
        microphone.record(bytes([number]) * BLOCK, 0.0, overflow=False)
    assert await anext(aiter(microphone)) == bytes([10]) * BLOCK
    assert round(microphone.dropped_s, 3) == 0.2


async def test_small_blocks_of_another_rate_become_blocks_of_20_ms_of_the_same_sound() -> None:
    microphone = Microphone(48_000)
    wave = (8_000 * np.sin(np.arange(48_000 // 5) * 2 * np.pi * 440 / 48_000)).astype("<i2").tobytes()
    for at in range(0, len(wave), 512):
        microphone.record(wave[at : at + 512], 0.0, overflow=False)
    blocks = aiter(microphone)
    heard = b"".join([await anext(blocks) for _ in range(9)])
    expected = 8_000 * np.sin(np.arange(2_400, 4_000) * 2 * np.pi * 440 / 24_000)
    samples = np.frombuffer(heard, "<i2")[2_400:4_000].astype(float)
    # The filter's delay shifts it; the spectrum says that it is the same sound.
    assert np.argmax(np.abs(np.fft.rfft(samples))) == np.argmax(np.abs(np.fft.rfft(expected)))
    assert 7_800 < samples.max() < 8_200


async def test_a_muted_microphone_sends_silence_and_still_shows_its_level() -> None:
    microphone = Microphone(24_000)
    microphone.muted = True
    microphone.record(tone(0.02), 0.0, overflow=False)
    assert audible_span(await anext(aiter(microphone))) is None
    assert microphone.peak > 0.1
