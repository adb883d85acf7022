"""The session's tape: 16 samples a millisecond."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator import tape as tape_module
from services.orchestrator.tape import Tape


def pcm(first: int, samples: int) -> bytes:
    """Samples that count up from `first`."""
    return b"".join((number % 65_536).to_bytes(2, "little") for number in range(first, first + samples))


def test_what_was_written_is_read_by_offset() -> None:
    tape = Tape()
    tape.write(pcm(0, 320), 1.0)
    tape.write(pcm(320, 320), 1.02)
    assert (tape.start, tape.end) == (0, 640)
    assert tape.read(300, 340) == pcm(300, 40)


def test_the_oldest_audio_gives_way_and_start_says_so() -> None:
    tape = Tape(seconds=0.04)  # 640 samples
    tape.write(pcm(0, 1_000), 1.0)
    assert (tape.start, tape.end) == (360, 1_000)
    assert tape.read(0, 400) == pcm(360, 40)


def test_a_tape_may_begin_later_than_at_zero() -> None:
    tape = Tape(start_offset=16_000)
    tape.write(pcm(0, 160), 5.0)
    assert (tape.start, tape.end) == (16_000, 16_160)
    assert tape.read(16_000, 16_160) == pcm(0, 160)
    assert tape.received_at(16_000) is None  # the sample before was on no tape
    assert tape.received_at(16_001) == 5.0


def test_a_sample_was_received_with_the_write_that_brought_it() -> None:
    tape = Tape()
    for number in range(5):
        tape.write(pcm(0, 320), 1.0 + number)
    # Offset 320 is after the last sample of the first write, 321 after the first one of the second.
    assert [tape.received_at(offset) for offset in (1, 320, 321, 640, 1_600)] == [1.0, 1.0, 2.0, 2.0, 5.0]


def test_a_write_without_samples_brought_none() -> None:
    tape = Tape()
    tape.write(pcm(0, 320), 1.0)
    tape.write(b"", 2.0)
    tape.write(pcm(320, 320), 3.0)
    assert (tape.received_at(320), tape.received_at(321)) == (1.0, 3.0)


def test_when_audio_was_received_that_is_yet_to_come_or_long_gone_is_not_known() -> None:
    tape = Tape()
    assert tape.received_at(0) is None
    assert tape.received_at(1) is None
    for number in range(3_000):  # 10 ms each: more writes than are remembered
        tape.write(pcm(0, 160), float(number))
    assert tape.received_at(3_000 * 160 + 1) is None
    assert tape.received_at(1) is None
    remembered = tape_module._ARRIVALS
    oldest = 3_000 - remembered
    assert tape.received_at(oldest * 160) is None
    assert tape.received_at(oldest * 160 + 1) == oldest


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(0, 100))
def test_every_sample_knows_its_write(lengths: list[int], start: int) -> None:
    tape = Tape(start_offset=start)
    brought: list[float] = []
    for number, samples in enumerate(lengths):
        tape.write(bytes(2 * samples), float(number))
        brought += [float(number)] * samples
    assert [tape.received_at(start + at + 1) for at in range(len(brought))] == brought


async def test_readers_are_woken_by_every_write_until_they_leave() -> None:
    tape = Tape()
    first, second = asyncio.Event(), asyncio.Event()
    tape.attach(first)
    tape.attach(second)
    tape.write(pcm(0, 16), 1.0)
    assert first.is_set()
    assert second.is_set()
    first.clear()
    second.clear()
    tape.detach(second)
    tape.write(pcm(16, 16), 1.0)
    assert first.is_set()
    assert not second.is_set()
    tape.detach(second)  # to leave twice does no harm
