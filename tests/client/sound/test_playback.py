import pytest

from client.sound.loudspeaker import Position
from client.sound.playback import PlaybackBuffer


def test_playback_is_silence_where_nothing_waits() -> None:
    playback = PlaybackBuffer()
    playback.push(b"\1\2\3\4")
    assert playback.pull(2, 0) == b"\1\2"
    assert playback.pull(4, 0) == b"\3\4\0\0"
    assert playback.pull(2, 0) == b"\0\0"


def test_flushed_audio_is_never_heard() -> None:
    playback = PlaybackBuffer()
    playback.push(b"\1" * 100)
    playback.flush()
    assert playback.pull(2, 0) == b"\0\0"
    assert playback.position(1) is None


def test_playback_holds_a_minute_and_counts_what_is_over() -> None:
    playback = PlaybackBuffer()
    minute = 60 * 48_000
    playback.push(bytes(minute - 10))
    playback.push(b"\1" * 30)
    assert playback.dropped_s == pytest.approx(20 / 48_000)
    playback.pull(minute - 10, 0)
    assert playback.pull(12, 0) == b"\1" * 10 + b"\0\0"


def test_held_playback_is_silent_and_goes_on_with_the_next_sample() -> None:
    playback = PlaybackBuffer()
    playback.push(b"\1\2\3\4")
    assert playback.pull(2, 0) == b"\1\2"
    playback.hold()
    assert playback.pull(2, 0) == b"\0\0"
    playback.resume()
    assert playback.pull(2, 0) == b"\3\4"
    playback.hold()
    playback.flush()
    playback.push(b"\5\6")
    assert playback.pull(2, 0) == b"\5\6"


def test_the_position_is_what_is_in_the_air_now() -> None:
    playback = PlaybackBuffer()
    assert playback.position(0.0) is None
    playback.push(bytes(4_800), "item_1")  # 100 ms
    playback.push(bytes(4_800), "item_2")
    assert playback.position(0.0) == Position("item_1", 0.0, playing=True)
    playback.pull(2_400, heard_at=1.0)
    assert playback.position(0.9) == Position("item_1", 0.0, playing=True)
    assert playback.position(1.025) == Position("item_1", 25.0, playing=True)
    playback.pull(4_800, heard_at=1.05)  # the rest of one and half of the other
    assert playback.position(1.075) == Position("item_1", 75.0, playing=True)
    assert playback.position(1.125) == Position("item_2", 25.0, playing=True)
    playback.hold()
    assert playback.position(9.0) == Position("item_2", 50.0, playing=False)
    playback.resume()
    playback.pull(2_400, heard_at=9.0)
    assert playback.position(9.05) is None


def test_time_without_audio_is_not_heard_audio() -> None:
    playback = PlaybackBuffer()
    playback.push(bytes(9_600), "item_1")
    playback.pull(2_400, heard_at=1.0)
    # The device ran dry: its next block is in the air 200 ms late.
    assert playback.position(1.2) == Position("item_1", 50.0, playing=True)
    playback.pull(2_400, heard_at=1.25)
    assert playback.position(1.24) == Position("item_1", 50.0, playing=True)
    assert playback.position(1.26) == Position("item_1", 60.0, playing=True)


def test_an_item_that_follows_one_that_was_heard_begins_at_its_beginning() -> None:
    playback = PlaybackBuffer()
    playback.push(bytes(480), "item_1")
    playback.pull(480, heard_at=1.0)
    playback.push(bytes(480), "item_2")
    assert playback.position(2.0) == Position("item_2", 0.0, playing=True)


def test_a_device_with_another_rate_gets_that_and_positions_stay_milliseconds_of_the_reply() -> None:
    playback = PlaybackBuffer(48_000)
    playback.push(bytes(4_800), "item_1")  # 100 ms, 9600 bytes at 48 kHz less what the filter holds
    playback.pull(4_800, heard_at=1.0)
    assert playback.position(1.05) == Position("item_1", 50.0, playing=True)
