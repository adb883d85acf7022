"""The session's tape: the last seconds of audio, addressed by offset, that any number of readers wait on."""

import asyncio
from collections import deque
from typing import Self

from chassis.audio import SAMPLE_RATE, RingBuffer

# One arrival a write; at 20 ms a write this covers as long as the tape.
_ARRIVALS = 2_048
# Larger than any message a client sends in real time; a backlog goes out in pieces of this size.
_MAX_PIECE = SAMPLE_RATE // 2


class Tape:
    """Audio in, PCM s16le at 16 kHz. Bounded: a reader that falls behind by more than `seconds` loses the oldest audio
    and can tell, because `start` has passed its position."""

    def __init__(self, seconds: float = 40.0, start_offset: int = 0) -> None:
        self._ring = RingBuffer(int(seconds * SAMPLE_RATE), start_offset)
        self._arrivals: deque[tuple[int, float]] = deque()
        self._known_from = start_offset
        self._waiting: dict[asyncio.Event, int] = {}

    @property
    def start(self) -> int:
        """Offset of the oldest sample."""
        return self._ring.start

    @property
    def end(self) -> int:
        """Offset after the newest sample."""
        return self._ring.end

    def write(self, pcm: bytes, now: float) -> None:
        """Appends audio that was received at `now`."""
        self._ring.write(pcm)
        if len(self._arrivals) == _ARRIVALS:
            self._known_from, _ = self._arrivals.popleft()
        self._arrivals.append((self._ring.end, now))
        for reached, offset in self._waiting.items():
            if self._ring.end >= offset:
                reached.set()

    def read(self, start: int, end: int) -> bytes:
        """Audio from `start` to `end`, as far as it is still there."""
        return self._ring.read(start, end)

    def received_at(self, offset: int) -> float | None:
        """When the sample before `offset` was received; None where that is not known any more, or has not been."""
        if offset <= self._known_from:
            return None
        found = None
        for end, at in reversed(self._arrivals):
            if end < offset:
                break
            found = at
        return found

    def follow(self, position: int, frame: int = 1) -> "TapeReader":
        """A reader of the audio from `position` on, in whole frames of `frame` samples."""
        return TapeReader(self, position, frame)

    async def _wait(self, offset: int, reached: asyncio.Event) -> None:
        """Returns when there is audio up to `offset`, or once `reached` is set."""
        reached.clear()
        self._waiting[reached] = offset
        try:
            await reached.wait()
        finally:
            del self._waiting[reached]


class TapeReader:
    """Reads a tape at its own pace: `async for pcm in reader` waits for what is not there yet and ends only where it
    was told to by `stop_at`; it can then be iterated again. One task iterates; the rest is for anybody.

    Pieces are whole frames, counted from where the reader was put last; only the one before a stop may be shorter. Each
    is a message to a stage, and messages cost more than their audio.
    """

    def __init__(self, tape: Tape, position: int, frame: int) -> None:
        self.position = position
        """Offset up to which audio was taken: a piece counts once the next one is asked for."""
        self._tape = tape
        self._frame = frame
        self._given = position
        self._stop: int | None = None
        self._changed = asyncio.Event()

    def seek(self, position: int) -> None:
        """Goes on from `position`. Audio that is no longer on the tape is passed over."""
        self.position = self._given = position

    def stop_at(self, offset: int) -> None:
        """Ends the iteration at `offset`, also where it has passed that already, until `go_on`."""
        self._stop = offset
        self._changed.set()

    def go_on(self) -> None:
        """Ends what `stop_at` began."""
        self._stop = None
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self.position = self._given
        while self._stop is None or self.position < self._stop:
            if (end := self._end_of_piece()) > self.position:
                self._given = end
                return self._tape.read(self.position, end)
            frame_end = self.position + self._frame
            await self._tape._wait(frame_end if self._stop is None else min(frame_end, self._stop), self._changed)
        raise StopAsyncIteration

    def _end_of_piece(self) -> int:
        there = min(self._tape.end, self.position + _MAX_PIECE)
        if self._stop is not None and self._stop <= there:
            return self._stop
        return there - (there - self.position) % self._frame
