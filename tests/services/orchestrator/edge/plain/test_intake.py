"""The client's audio between socket and session: what is promised holds whatever comes in whatever order."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.orchestrator.edge.plain.framing import Framing, Header
from services.orchestrator.edge.plain.input_queue import FRAME, MAX_COMMANDS, Command, TooManyCommandsError
from services.orchestrator.edge.plain.intake import (
    REPORT_INTERVAL_S,
    Ack,
    AudioError,
    Dropped,
    DropReason,
    Gap,
    Intake,
)

QUEUE_MS = 200
WINDOW = 1_600
CAPACITY = 3_200


def frame(sequence: int, timestamp: int, samples: int, value: int = 1) -> bytes:
    return Header(sequence, timestamp).pack() + value.to_bytes(2, "little") * samples


def drain(intake: Intake, now: float) -> list[bytes | Command]:
    taken = []
    while (work := intake.take()) is not None:
        taken.append(work)
        intake.placed(now)
    return taken


numbers = st.one_of(st.integers(0, 5), st.integers((1 << 32) - 5, (1 << 32) - 1), st.integers(0, (1 << 32) - 1))
headed = st.builds(frame, numbers, numbers, st.integers(0, 400))


def test_what_the_session_has_is_acknowledged_with_its_position() -> None:
    intake = Intake(Framing.HEADER, QUEUE_MS)
    intake.receive(frame(7, 0, FRAME), 0.0)
    intake.receive(frame(8, FRAME, FRAME), 0.0)
    assert intake.report_at is None
    drain(intake, 0.1)
    assert intake.reports(0.2) == []
    assert intake.reports(0.1 + REPORT_INTERVAL_S) == [Ack(8, 2 * FRAME)]
    assert intake.reports(9.0) == []


def test_half_a_window_is_acknowledged_at_once() -> None:
    intake = Intake(Framing.HEADER, QUEUE_MS)
    for number in range(3):
        intake.receive(frame(number, number * FRAME, FRAME), 0.0)
    drain(intake, 1.0)
    assert intake.reports(1.0) == [Ack(2, 3 * FRAME)]


def test_a_frame_is_acknowledged_once_all_of_it_is_with_the_session() -> None:
    intake = Intake(Framing.HEADER, QUEUE_MS)
    intake.receive(frame(0, 0, FRAME), 0.0)
    intake.receive(frame(1, FRAME, FRAME - 1), 0.0)
    drain(intake, 0.0)
    assert intake.reports(1.0) == [Ack(0, FRAME)]
    intake.receive(frame(2, 2 * FRAME - 1, 1), 1.0)
    assert intake.reports(2.0) == []
    drain(intake, 2.0)
    assert intake.reports(3.0) == [Ack(2, 2 * FRAME)]


def test_what_gives_way_behind_audio_in_hand_is_not_acknowledged_before_it() -> None:
    intake = Intake(Framing.HEADER, QUEUE_MS)
    intake.receive(frame(0, 0, FRAME), 0.0)
    assert intake.take() is not None
    for number in range(1, 13):
        intake.receive(frame(number, number * FRAME, FRAME), 0.0)
    assert intake.reports(1.0) == [Dropped(DropReason.OVERFLOW, 2 * FRAME)]
    intake.placed(1.0)
    assert intake.reports(2.0) == [Ack(2, FRAME)]


def test_audio_sent_again_is_dropped_and_acknowledged_again() -> None:
    intake = Intake(Framing.HEADER, QUEUE_MS)
    intake.receive(frame(0, 0, FRAME), 0.0)
    drain(intake, 0.0)
    assert intake.reports(1.0) == [Ack(0, FRAME)]
    intake.receive(frame(0, 0, FRAME), 1.0)
    assert drain(intake, 1.0) == []
    assert intake.reports(2.0) == [Dropped(DropReason.OLD, FRAME), Ack(0, FRAME)]


def test_a_gap_is_filled_up_and_told() -> None:
    intake = Intake(Framing.HEADER, 4_000)
    intake.receive(frame(0, 0, FRAME), 0.0)
    intake.receive(frame(1, 2 * FRAME, FRAME), 0.0)
    intake.receive(frame(2, 3 * FRAME + 20_000, FRAME), 0.0)
    heard = b"".join(work for work in drain(intake, 0.0) if isinstance(work, bytes))
    assert heard == b"".join((b"\1\0" * FRAME, bytes(2 * FRAME), b"\1\0" * FRAME, bytes(32_000), b"\1\0" * FRAME))
    assert intake.reports(1.0) == [Gap(16_000 + FRAME, 4_000), Ack(2, 16_000 + 4 * FRAME)]


def test_an_overlap_is_cut_off_and_told() -> None:
    intake = Intake(Framing.HEADER, QUEUE_MS)
    intake.receive(frame(0, 0, FRAME, 1), 0.0)
    intake.receive(frame(1, FRAME - 20, FRAME + 20, 2), 0.0)
    assert drain(intake, 0.0) == [b"\1\0" * FRAME, b"\2\0" * FRAME]
    assert intake.reports(1.0) == [Dropped(DropReason.OVERLAP, 20), Ack(1, 2 * FRAME)]


def test_bare_frames_are_not_acknowledged() -> None:
    intake = Intake(Framing.RAW, QUEUE_MS)
    intake.receive(bytes(2 * FRAME), 0.0)
    assert drain(intake, 0.0) == [bytes(2 * FRAME)]
    assert intake.report_at is None


@pytest.mark.parametrize(
    ("framing", "bad", "code", "message"),
    [
        (Framing.RAW, b"abc", "invalid_audio", "expected whole 16-bit samples, got 3 bytes"),
        (Framing.HEADER, b"", "invalid_audio", "expected a header of 8 bytes, got 0 bytes"),
        (Framing.HEADER, b"1234567", "invalid_audio", "expected a header of 8 bytes, got 7 bytes"),
        (Framing.HEADER, b"12345678abc", "invalid_audio", "expected whole 16-bit samples, got 3 bytes"),
        (Framing.HEADER, bytes(8 + 3_202), "audio_too_large", "expected at most the window of 3200 bytes, got 3202"),
    ],
)
def test_what_is_no_audio_is_refused_whole(framing: Framing, bad: bytes, code: str, message: str) -> None:
    intake = Intake(framing, QUEUE_MS)
    with pytest.raises(AudioError, match=message) as caught:
        intake.receive(bad, 0.0)
    assert caught.value.code == code
    assert intake.take() is None
    assert intake.report_at is None


@given(st.sampled_from(Framing), st.lists(st.one_of(st.binary(max_size=40), headed), max_size=30))
def test_no_bytes_break_it(framing: Framing, frames: list[bytes]) -> None:
    intake = Intake(framing, QUEUE_MS)
    for number, data in enumerate(frames):
        with contextlib.suppress(AudioError):
            intake.receive(data, float(number))
        assert intake.waiting <= CAPACITY
        drain(intake, float(number))
        for report in intake.reports(float(number)):
            assert isinstance(report, Ack | Gap | Dropped)


class IntakeMachine(RuleBasedStateMachine):
    """A client that numbers every sample it sends, and a session that is slow. Time passes as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.intake = Intake(Framing.HEADER, QUEUE_MS)
        self.now = 0.0
        self.sequence = 0xFFFF_FFF0
        self.timestamp = 0xFFFF_0000
        self.sample = 0  # what was sent last
        self.heard: list[int] = []  # what the session has, silence left out
        self.position = 0
        self.in_hand: bytes | Command | None = None
        self.accepted = 0  # samples that went into the queue
        self.cleared = 0
        self.dropped = 0  # samples told of as dropped for overflow
        self.ends: dict[int, int] = {}  # of every frame by its number, counted as `accepted` is
        self.acknowledged: int | None = None
        self.commands: list[Command] = []

    @rule(samples=st.integers(0, 700), missing=st.sampled_from([0, 0, 0, 5, 320, 20_000]), again=st.booleans())
    def send(self, samples: int, missing: int, again: bool) -> None:
        silence = min(missing, 16_000) if self.ends else 0
        self.timestamp = (self.timestamp + missing) % (1 << 32)
        values = [(self.sample + number) % 65_535 + 1 for number in range(samples)]
        data = Header(self.sequence, self.timestamp).pack() + b"".join(value.to_bytes(2, "little") for value in values)
        self.intake.receive(data, self.now)
        if again:
            self.intake.receive(data, self.now)
        self.sample += samples
        self.accepted += samples + silence
        self.ends[self.sequence] = self.accepted
        self.timestamp = (self.timestamp + samples) % (1 << 32)
        self.sequence = (self.sequence + 1) % (1 << 32)

    @rule(command=st.sampled_from(Command))
    def command(self, command: Command) -> None:
        before = self.intake.waiting
        try:
            self.intake.command(command, self.now)
        except TooManyCommandsError:
            assert len(self.commands) == MAX_COMMANDS
            return
        self.commands.append(command)
        self.cleared += before - self.intake.waiting

    @precondition(lambda self: self.in_hand is None)
    @rule()
    def take(self) -> None:
        self.in_hand = self.intake.take()
        if isinstance(self.in_hand, Command):
            assert self.in_hand is self.commands.pop(0)
        elif self.in_hand is not None:
            assert 0 < len(self.in_hand) <= 2 * FRAME
            values = memoryview(self.in_hand).cast("H").tolist()
            self.heard.extend(value for value in values if value)

    @precondition(lambda self: self.in_hand is not None)
    @rule()
    def place(self) -> None:
        if isinstance(self.in_hand, bytes):
            self.position += len(self.in_hand) // 2
        self.in_hand = None
        self.intake.placed(self.now)

    @rule(seconds=st.sampled_from([0.01, 0.1, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for report in self.intake.reports(self.now):
            match report:
                case Ack(sequence, position):
                    # Nothing that still waits, or is in hand, is behind what is acknowledged.
                    held = len(self.in_hand) // 2 if isinstance(self.in_hand, bytes) else 0
                    assert self.ends[sequence] <= self.accepted - self.intake.waiting - held
                    assert position == self.position
                    if self.acknowledged is not None:
                        assert self.ends[sequence] >= self.ends[self.acknowledged]
                    self.acknowledged = sequence
                case Dropped(DropReason.OVERFLOW, samples):
                    self.dropped += samples
                case _:
                    pass

    @invariant()
    def never_more_waits_than_may(self) -> None:
        assert self.intake.waiting <= CAPACITY

    @invariant()
    def time_is_kept(self) -> None:
        assert self.intake.position == self.position

    def teardown(self) -> None:
        if self.in_hand is not None:
            self.place()
        while self.in_hand is not None or self.commands or self.intake.waiting >= FRAME:
            self.take()
            self.place()
        self.wait(1.0)
        # Every sample is accounted for, and what was heard was heard in its order and once.
        assert self.accepted == self.position + self.dropped + self.cleared + self.intake.waiting
        assert self.heard == sorted(set(self.heard)) or self.sample > 65_535
        settled = self.accepted - self.intake.waiting
        done = [number for number, end in self.ends.items() if end <= settled]
        assert self.acknowledged == (done[-1] if done else None)


IntakeMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestIntake = IntakeMachine.TestCase
