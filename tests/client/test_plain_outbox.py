from hypothesis import given
from hypothesis import strategies as st

from client.plain_outbox import HEADER, Outbox

WRAP = 1 << 32


def test_frames_are_numbered_through_the_wrap_and_hold_their_place_in_time() -> None:
    outbox = Outbox(1_000, sequence=WRAP - 1, timestamp=WRAP - 320)
    assert outbox.pack(bytes(640)) == HEADER.pack(WRAP - 1, WRAP - 320) + bytes(640)
    outbox.skip(160)
    assert HEADER.unpack_from(outbox.pack(b"ab")) == (0, 160)
    assert HEADER.unpack_from(outbox.pack(b"cd")) == (1, 161)


def test_an_acknowledgement_frees_everything_up_to_it() -> None:
    outbox = Outbox(100)
    frames = [outbox.pack(bytes(640)) for _ in range(4)]
    assert outbox.room == 1_600 - 4 * 320
    outbox.acknowledge(2, 60)
    assert outbox.unacknowledged == frames[3:]
    assert outbox.room == 960 - 320
    outbox.acknowledge(1, 100)
    assert outbox.unacknowledged == frames[3:]
    assert outbox.room == 1_600 - 320


def test_a_window_that_shrinks_leaves_no_room_and_loses_nothing() -> None:
    outbox = Outbox(100)
    frames = [outbox.pack(bytes(640)) for _ in range(4)]
    outbox.acknowledge(0, 20)
    assert outbox.room == 0
    assert outbox.unacknowledged == frames[1:]


@given(
    st.integers(0, WRAP - 1),
    st.lists(st.one_of(st.integers(0, 500), st.integers(0, 40).map(lambda back: -1 - back)), max_size=60),
)
def test_what_is_not_acknowledged_is_exactly_what_came_after(first: int, steps: list[int]) -> None:
    """Steps of 0 or more pack so many samples, others acknowledge the frame so many before the next."""
    outbox = Outbox(1_000, sequence=first)
    frames: list[bytes] = []
    acknowledged = 0
    for step in steps:
        if step >= 0:
            if step <= outbox.room:
                frames.append(outbox.pack(bytes(2 * step)))
        elif -step <= len(frames):
            outbox.acknowledge((first + len(frames) + step) % WRAP, 1_000)
            acknowledged = max(acknowledged, len(frames) + step + 1)
        assert outbox.unacknowledged == frames[acknowledged:]
        assert outbox.room == 16_000 - sum(len(frame) - 8 for frame in frames[acknowledged:]) // 2
        assert outbox.room >= 0
