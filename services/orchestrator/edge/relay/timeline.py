"""When which audio was received: the upstream names moments of its own timeline, latencies need the clock's. Pure."""

from collections import deque

_MOST = 4_096


class Timeline:
    """Audio as it was appended, the newest 4096 pieces of it."""

    def __init__(self) -> None:
        self._ends: deque[tuple[float, float]] = deque(maxlen=_MOST)

    def append(self, ms: float, at: float) -> None:
        """`ms` milliseconds of audio were received at the time `at`."""
        before = self._ends[-1][0] if self._ends else 0.0
        self._ends.append((before + ms, at))

    @property
    def latest(self) -> float | None:
        """When the newest audio was received; None where there is none."""
        return self._ends[-1][1] if self._ends else None

    def received_at(self, offset_ms: float) -> float | None:
        """When the audio at `offset_ms` was received; that after the end counts as the newest. None where it is not
        known (any more)."""
        found = self.latest
        for end, at in reversed(self._ends):
            if end < offset_ms:
                return found
            found = at
        return None if len(self._ends) == _MOST else found
