"""What a peer hears, frame by frame. 960 samples are 20 ms."""

from services.orchestrator.edge.webrtc.opus import FRAME
from services.orchestrator.edge.webrtc.playback import Frame, Playback, Position

LOUD = b"\x01\x02"


def frames(playback: Playback, count: int) -> list[Frame]:
    """The next frames."""
    return [playback.take() for _ in range(count)]


def position(playback: Playback) -> Position | None:
    """Where the reply is."""
    return playback.position


def test_nothing_to_play_is_silence() -> None:
    assert frames(Playback(), 2) == [Frame(None)] * 2


def test_a_reply_begins_plays_and_ends() -> None:
    playback = Playback()
    playback.append("r1", "i1", LOUD * (FRAME + 100))
    assert not position(playback)
    assert playback.take() == Frame(LOUD * FRAME, began=("r1",))
    assert position(playback) == Position("r1", "i1", 20.0, playing=True)
    assert playback.take() == Frame(None)  # the rest of a frame waits for what is behind it
    playback.finish("r1")
    assert playback.take() == Frame((LOUD * 100).ljust(2 * FRAME, b"\0"))
    assert playback.take() == Frame(None, ended=("r1",))
    assert not position(playback)


def test_one_reply_ends_where_the_next_begins() -> None:
    playback = Playback()
    for name in ("r1", "r2"):
        playback.append(name, name, LOUD * FRAME)
        playback.finish(name)
    assert [(frame.began, frame.ended) for frame in frames(playback, 3)] == [
        (("r1",), ()),
        (("r2",), ("r1",)),
        ((), ("r2",)),
    ]


def test_replies_that_are_made_at_once_are_heard_one_after_the_other() -> None:
    playback = Playback()
    for name in ("r1", "r2", "r1", "r2"):
        playback.append(name, name, LOUD * FRAME)
    assert playback.responses == ["r1", "r2"]
    assert [frame.began for frame in frames(playback, 3)] == [("r1",), (), ()]
    playback.finish("r1")
    assert playback.take().began == ("r2",)


def test_a_held_reply_stands_still_and_goes_on_where_it_stopped() -> None:
    playback = Playback()
    playback.append("r1", "i1", LOUD * 3 * FRAME)
    playback.take()
    playback.hold()
    assert frames(playback, 5) == [Frame(None)] * 5
    assert position(playback) == Position("r1", "i1", 20.0, playing=False)
    playback.resume()
    assert playback.take() == Frame(LOUD * FRAME)
    assert position(playback) == Position("r1", "i1", 40.0, playing=True)


def test_clearing_says_what_was_heard_and_leaves_other_replies() -> None:
    playback = Playback()
    assert playback.clear("r1") is None
    playback.append("r1", "i1", LOUD * 2 * FRAME)
    assert playback.clear("r1") is None
    playback.append("r2", "i2", LOUD * 2 * FRAME)
    playback.append("r3", "i3", LOUD * FRAME)
    playback.take()
    assert playback.clear("r2") == 20.0
    assert playback.take().began == ("r3",)


def test_a_reply_without_audio_neither_begins_nor_ends() -> None:
    playback = Playback()
    playback.append("r1", "i1", b"")
    playback.finish("r1")
    assert playback.take() == Frame(None)


def test_more_than_the_bound_drops_the_oldest_and_keeps_the_position() -> None:
    playback = Playback(max_waiting_s=0.04)
    assert playback.append("r1", "i1", LOUD * 2 * FRAME) == 0
    assert playback.append("r1", "i1", b"\x03\x04" * FRAME) == FRAME
    assert frames(playback, 2)[1].pcm == b"\x03\x04" * FRAME
    assert position(playback) == Position("r1", "i1", 60.0, playing=True)
