"""The session's tape: 16 samples a millisecond."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator import tape as tape_module
from services.orchestrator.tape import Tape, TapeReader


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


async def take(reader: TapeReader, pieces: int) -> list[bytes]:
    """The next pieces of a reader, which must be there without waiting."""
    async with asyncio.timeout(0):
        return [await anext(reader) for _ in range(pieces)]


async def test_a_reader_gives_what_is_there_and_waits_for_more() -> None:
    tape = Tape()
    tape.write(pcm(0, 320), 1.0)
    reader = tape.follow(100)
    assert await take(reader, 1) == [pcm(100, 220)]
    more = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0.01)
    assert not more.done()
    tape.write(pcm(320, 160), 1.1)
    tape.write(pcm(480, 160), 1.2)
    assert await more == pcm(320, 320)  # what came in the meantime comes in one piece


async def test_a_backlog_comes_in_pieces() -> None:
    tape = Tape()
    tape.write(pcm(0, 20_000), 1.0)
    pieces = await take(tape.follow(0), 3)
    assert [len(piece) // 2 for piece in pieces] == [8_000, 8_000, 4_000]
    assert b"".join(pieces) == pcm(0, 20_000)


async def test_a_piece_is_taken_once_the_next_is_asked_for() -> None:
    tape = Tape()
    tape.write(pcm(0, 10_000), 1.0)
    reader = tape.follow(0)
    await take(reader, 1)
    assert reader.position == 0
    await take(reader, 1)
    assert reader.position == 8_000


async def test_a_reader_ends_where_it_is_told_to_and_goes_on_from_there() -> None:
    tape = Tape()
    tape.write(pcm(0, 1_000), 1.0)
    reader = tape.follow(0)
    reader.stop_at(600)
    assert [piece async for piece in reader] == [pcm(0, 600)]
    assert [piece async for piece in reader] == []
    reader.go_on()
    assert await take(reader, 1) == [pcm(600, 400)]


async def test_a_reader_that_has_passed_its_stop_ends_at_once() -> None:
    tape = Tape()
    tape.write(pcm(0, 1_000), 1.0)
    reader = tape.follow(0)
    await take(reader, 1)
    reader.stop_at(600)
    assert [piece async for piece in reader] == []
    assert reader.position == 1_000


async def test_a_reader_that_waits_hears_of_its_stop() -> None:
    tape = Tape()
    reader = tape.follow(0)
    rest = asyncio.ensure_future(anext(reader, None))
    await asyncio.sleep(0.01)
    reader.stop_at(0)
    async with asyncio.timeout(1):
        assert await rest is None


async def test_a_stop_that_is_yet_to_come_is_waited_for() -> None:
    tape = Tape()
    tape.write(pcm(0, 100), 1.0)
    reader = tape.follow(0)
    reader.stop_at(150)

    async def whole() -> list[bytes]:
        return [piece async for piece in reader]

    reading = asyncio.ensure_future(whole())
    await asyncio.sleep(0.01)
    tape.write(pcm(100, 100), 1.1)
    async with asyncio.timeout(1):
        assert await reading == [pcm(0, 100), pcm(100, 50)]


async def test_a_reader_can_go_back() -> None:
    tape = Tape()
    tape.write(pcm(0, 1_000), 1.0)
    reader = tape.follow(0)
    await take(reader, 1)
    reader.seek(900)
    assert reader.position == 900
    assert await take(reader, 1) == [pcm(900, 100)]


async def test_readers_are_told_of_the_same_audio_and_a_cancelled_one_is_forgotten() -> None:
    tape = Tape()
    first, second = (asyncio.ensure_future(anext(tape.follow(0))) for _ in range(2))
    await asyncio.sleep(0.01)
    assert len(tape._waiting) == 2
    second.cancel()
    await asyncio.wait([second])
    assert len(tape._waiting) == 1
    tape.write(pcm(0, 16), 1.0)
    assert await first == pcm(0, 16)
    assert not tape._waiting


@given(st.data())
async def test_whatever_is_written_stopped_and_resumed_every_sample_is_read_once(data: st.DataObject) -> None:
    tape, heard = Tape(), b""
    reader = tape.follow(0)
    for number, samples in enumerate(data.draw(st.lists(st.integers(0, 20_000), max_size=8))):
        tape.write(pcm(tape.end, samples), float(number))
        reader.stop_at(data.draw(st.integers(0, tape.end)))
        heard += b"".join([piece async for piece in reader])
        reader.go_on()
    reader.stop_at(tape.end)
    heard += b"".join([piece async for piece in reader])
    assert heard == pcm(0, tape.end)


async def test_pieces_are_whole_frames_and_only_the_one_before_a_stop_is_shorter() -> None:
    tape = Tape()
    reader = tape.follow(100, 512)
    tape.write(bytes(2 * 1_000), 0.0)
    assert len(await anext(reader)) == 2 * 512
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    tape.write(bytes(2 * 123), 0.0)  # one sample short of the next frame
    await asyncio.sleep(0)
    assert not waiting.done()
    tape.write(bytes(2 * 1), 0.0)
    assert len(await waiting) == 2 * 512
    tape.write(bytes(2 * 300), 0.0)
    reader.stop_at(1_224)
    assert len(await anext(reader)) == 2 * 100
    with pytest.raises(StopAsyncIteration):
        await anext(reader)
