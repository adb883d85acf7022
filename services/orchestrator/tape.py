"""The session's tape: the last seconds of audio, addressed by offset, that any number of readers wait on."""

import asyncio
from collections import deque

from chassis.audio import SAMPLE_RATE, RingBuffer

# One arrival a write; at 20 ms a write this covers as long as the tape.
_ARRIVALS = 2_048


class Tape:
    """Audio in, PCM s16le at 16 kHz. Bounded: a reader that falls behind by more than `seconds` loses the oldest audio
    and can tell, because `start` has passed its position."""

    def __init__(self, seconds: float = 40.0, start_offset: int = 0) -> None:
        self._ring = RingBuffer(int(seconds * SAMPLE_RATE), start_offset)
        self._arrivals: deque[tuple[int, float]] = deque()
        self._known_from = start_offset
        self._waiters: set[asyncio.Event] = set()

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
        for waiter in self._waiters:
            waiter.set()

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

    def attach(self, changed: asyncio.Event) -> None:
        """Sets `changed` on every write, until `detach`."""
        self._waiters.add(changed)

    def detach(self, changed: asyncio.Event) -> None:
        """Ends what `attach` began."""
        self._waiters.discard(changed)
