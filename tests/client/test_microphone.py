import asyncio
import builtins
import sys
from types import ModuleType
from typing import Any

import pytest

from client.loudspeaker import Position
from client.microphone import BlockQueue, PlaybackBuffer, load_sounddevice
from client.speech import SpeechError


def test_a_missing_package_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SpeechError, match=r"pip install 'voxfleet\[microphone\]'"):
        load_sounddevice()


def test_a_missing_library_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_portaudio(name: str, *args: Any, **kwargs: Any) -> ModuleType:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real_import(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_portaudio)
    with pytest.raises(SpeechError, match=r"PortAudio library not found.*apt install libportaudio2"):
        load_sounddevice()


def test_playback_is_silence_where_nothing_waits() -> None:
    playback = PlaybackBuffer()
    playback.push(b"\1\2\3\4")
    assert playback.pull(2) == b"\1\2"
    assert playback.pull(4) == b"\3\4\0\0"
    assert playback.pull(2) == b"\0\0"


def test_flushed_audio_is_never_heard() -> None:
    playback = PlaybackBuffer()
    playback.push(b"\1" * 100)
    playback.flush()
    assert playback.pull(2) == b"\0\0"


def test_playback_holds_a_minute_and_counts_what_is_over() -> None:
    playback = PlaybackBuffer()
    minute = 60 * 48_000
    playback.push(bytes(minute - 10))
    playback.push(b"\1" * 30)
    assert playback.dropped_bytes == 20
    playback.pull(minute - 10)
    assert playback.pull(12) == b"\1" * 10 + b"\0\0"


def test_held_playback_is_silent_and_goes_on_with_the_next_sample() -> None:
    playback = PlaybackBuffer()
    playback.push(b"\1\2\3\4")
    assert playback.pull(2) == b"\1\2"
    playback.hold()
    assert playback.pull(2) == b"\0\0"
    playback.resume()
    assert playback.pull(2) == b"\3\4"
    playback.hold()
    playback.flush()
    playback.push(b"\5\6")
    assert playback.pull(2) == b"\5\6"


def test_the_position_is_what_can_have_been_heard_of_the_item_that_is_played() -> None:
    playback = PlaybackBuffer()
    assert playback.position() is None
    playback.push(bytes(4_800), "item_1")  # 100 ms
    playback.push(bytes(4_800), "item_2")
    assert playback.position() == Position("item_1", 0.0, playing=True)
    playback.pull(2_400)
    assert playback.position() == Position("item_1", 50.0, playing=True)
    playback.latency_s = 0.025
    assert playback.position() == Position("item_1", 25.0, playing=True)
    playback.pull(2_400)
    assert playback.position() == Position("item_2", 0.0, playing=True)
    playback.pull(2_400)
    playback.hold()
    assert playback.position() == Position("item_2", 25.0, playing=False)
    playback.resume()
    playback.pull(2_400)
    assert playback.position() is None


async def test_blocks_come_in_order_from_another_thread() -> None:
    queue = BlockQueue(asyncio.get_running_loop())

    def record() -> None:
        for number in range(3):
            queue.push(bytes([number]))

    await asyncio.to_thread(record)
    blocks = aiter(queue)
    assert [await anext(blocks) for _ in range(3)] == [b"\0", b"\1", b"\2"]


async def test_blocks_that_nobody_takes_give_way_to_newer_ones() -> None:
    queue = BlockQueue(asyncio.get_running_loop())
    for number in range(60):
        queue.push(bytes([number]))
    await asyncio.sleep(0)
    blocks = aiter(queue)
    assert await anext(blocks) == bytes([10])
    assert queue.dropped == 10
