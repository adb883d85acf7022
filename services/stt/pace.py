"""How often partials may come. Pure: they get what finals leave, and no more than a share of a transcribing thread."""

PARTIAL_SHARE = 0.5
"""Share of one thread's time that the partials of all streams together may take."""
_NEWEST = 0.3
"""Weight of the newest cost in the running mean."""


class PartialPace:
    """Shared by all streams. A partial costs what was waited for it, so where many wait for a thread it costs more, and
    the pace gives way before the queue grows.

    `together` is how many partials of different streams take no longer than one.
    """

    def __init__(self, together: int = 1) -> None:
        self.speakers = 0
        """Streams whose speech is being transcribed now."""
        self._together = together
        self._cost_s = 0.0

    def took(self, seconds: float) -> None:
        """A partial was there after `seconds`."""
        self._cost_s += (seconds - self._cost_s) * (_NEWEST if self._cost_s else 1.0)

    def interval_s(self, wanted_s: float) -> float:
        """Seconds of speech between two partials of a stream that would like one every `wanted_s`."""
        return max(wanted_s, self._cost_s * max(1, self.speakers / self._together) / PARTIAL_SHARE)
