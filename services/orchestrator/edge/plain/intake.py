"""The client's audio on its way to the session: placed in time, bounded, acknowledged. Pure.

Frames and commands go in; work for the session comes out in the order of their coming, and reports for the client.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from chassis.audio import BYTES_PER_SAMPLE, ms_to_samples
from services.orchestrator.edge.plain.framing import HEADER_BYTES, Framing, Header
from services.orchestrator.edge.plain.input_queue import Command, InputQueue
from services.orchestrator.edge.plain.timeline import Timeline

MAX_GAP_MS = 1_000
"""A gap in the timestamps becomes silence up to this. Where more is missing the microphone was off, and what was said
before and after does not belong together more closely than this."""
REPORT_INTERVAL_S = 0.2
"""The longest that something waits to be reported with what comes after it."""


class AudioError(ValueError):
    """A binary frame that cannot be taken; `code` is the protocol's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class DropReason(Enum):
    """Why audio did not reach the session; the values are the protocol's, and labels of the metric."""

    OVERFLOW = "input_overflow"
    OLD = "old_sequence"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Ack:
    """Every frame up to `sequence` is with the session, which has `position` samples, or was told of as dropped."""

    sequence: int
    position: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """So many samples were thrown away since the last report of this kind."""

    reason: DropReason
    samples: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that were missing since the last report of this kind: for `silence` of them the session got silence, for
    `skipped` nothing."""

    silence: int = 0
    skipped: int = 0


Report = Ack | Dropped | Gap


class Intake:
    """One client's audio. At most `queue_ms` of it waits for the session; what is too much costs the oldest.

    Use: `receive` and `command` as they come; `take` until None, do what it gives, and say `placed` before the next
    `take`; `reports` once `report_at` has come. Instants are seconds on one monotonic clock.
    """

    def __init__(self, framing: Framing, queue_ms: int) -> None:
        self.window_ms = queue_ms // 2
        """What the client may send unacknowledged. The rest of the queue is for gaps that become silence."""
        self.position = 0
        """Samples that the session was given."""
        self.report_at: float | None = None
        """When `reports` has something to tell; None while there is nothing."""
        self._framing = framing
        self._window = ms_to_samples(self.window_ms)
        self._queue = InputQueue(ms_to_samples(queue_ms))
        self._timeline = Timeline(ms_to_samples(MAX_GAP_MS))
        self._accepted = 0  # samples that were ever put into the queue
        self._in_hand = 0  # samples that were taken and not yet placed
        # Sequence numbers that are not acknowledged, and the value of `_accepted` behind the audio of each.
        self._unsettled: deque[tuple[int, int]] = deque()
        self._settled: int | None = None
        self._ack_due = False
        self._told_position = 0
        self._dropped: dict[DropReason, int] = {}
        self._gap = Gap()

    @property
    def waiting(self) -> int:
        """Samples that wait for the session; a frame that is not whole yet waits for its end."""
        return self._queue.waiting

    @property
    def is_crowded(self) -> bool:
        """Whether the session should have a chance to take something before more comes."""
        return self.waiting >= self._window

    def receive(self, frame: bytes, now: float) -> None:
        """Takes one binary frame. Raises AudioError where it is not one; nothing of it is taken then."""
        header_bytes = 0 if self._framing is Framing.RAW else HEADER_BYTES
        if len(frame) < header_bytes:
            raise AudioError("invalid_audio", f"expected a header of {header_bytes} bytes, got {len(frame)} bytes")
        if len(frame) % BYTES_PER_SAMPLE:
            raise AudioError("invalid_audio", f"expected whole 16-bit samples, got {len(frame) - header_bytes} bytes")
        if self._framing is Framing.RAW:
            self._write(frame, now)
            return
        samples = (len(frame) - header_bytes) // BYTES_PER_SAMPLE
        if samples > self._window:
            limit = self._window * BYTES_PER_SAMPLE
            message = f"expected at most the window of {limit} bytes, got {len(frame) - header_bytes} bytes"
            raise AudioError("audio_too_large", message)
        self._place(Header.unpack(frame), frame[header_bytes:], samples, now)

    def command(self, command: Command, now: float) -> None:
        """Says something of all audio so far. Raises TooManyCommandsError."""
        self._queue.command(command)
        self._settle(now)

    def take(self) -> bytes | Command | None:
        """The next audio, at most 20 ms, or command for the session; None while there is nothing."""
        work = self._queue.take()
        if isinstance(work, bytes):
            self._in_hand = len(work) // BYTES_PER_SAMPLE
        return work

    def placed(self, now: float) -> None:
        """What was taken last is with the session."""
        self.position += self._in_hand
        self._in_hand = 0
        self._settle(now)

    def reports(self, now: float) -> list[Report]:
        """What is to be told at `now`; it counts as told."""
        if self.report_at is None or now < self.report_at:
            return []
        reports: list[Report] = [Dropped(reason, samples) for reason, samples in self._dropped.items()]
        if self._gap != Gap():
            reports.append(self._gap)
        if self._ack_due and self._settled is not None:
            reports.append(Ack(self._settled, self.position))
            self._told_position = self.position
        self._dropped, self._gap, self._ack_due, self.report_at = {}, Gap(), False, None
        return reports

    def _place(self, header: Header, pcm: bytes, samples: int, now: float) -> None:
        placement = self._timeline.place(header, samples)
        if placement.is_old:
            self._drop(DropReason.OLD, samples, now)
            if self._settled is not None:
                # Whoever sends again may not have heard that it arrived.
                self._ack_due = True
                self._report_by(now + REPORT_INTERVAL_S)
            return
        self._drop(DropReason.OVERLAP, placement.known, now)
        if placement.silence:
            self._gap = Gap(self._gap.silence + placement.silence, self._gap.skipped + placement.skipped)
            self._report_by(now + REPORT_INTERVAL_S)
            self._write(bytes(placement.silence * BYTES_PER_SAMPLE), now)
        self._write(pcm[placement.known * BYTES_PER_SAMPLE :], now)
        if self._unsettled and self._unsettled[-1][1] == self._accepted:
            # The numbers of frames without audio add nothing to the last one's.
            self._unsettled.pop()
        self._unsettled.append((header.sequence, self._accepted))
        self._settle(now)

    def _write(self, pcm: bytes, now: float) -> None:
        self._accepted += len(pcm) // BYTES_PER_SAMPLE
        self._drop(DropReason.OVERFLOW, self._queue.write(pcm), now)

    def _drop(self, reason: DropReason, samples: int, now: float) -> None:
        if samples:
            self._dropped[reason] = self._dropped.get(reason, 0) + samples
            self._report_by(now + REPORT_INTERVAL_S)

    def _settle(self, now: float) -> None:
        """Finds what can be acknowledged. What gave way behind audio in hand waits for that."""
        if self._in_hand:
            return
        done = self._accepted - self.waiting
        while self._unsettled and self._unsettled[0][1] <= done:
            self._settled, _ = self._unsettled.popleft()
            self._ack_due = True
        if self._ack_due:
            half_told = self.position - self._told_position >= self._window // 2
            self._report_by(now if half_told else now + REPORT_INTERVAL_S)

    def _report_by(self, at: float) -> None:
        self.report_at = at if self.report_at is None else min(self.report_at, at)
