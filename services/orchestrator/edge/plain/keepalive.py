"""When a client is asked whether it is still there, and when it is taken to be gone. Pure."""


class SilentPeerError(TimeoutError):
    """The client sent nothing at all since it was asked."""


class Keepalive:
    """Asks every `interval_s`; anything that the client sends before the next time is an answer.

    Instants are seconds on one monotonic clock.
    """

    def __init__(self, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._answered = True
        self._pings = 0
        self.wake_at = now + interval_s
        """When `poll` should be called next."""

    def heard(self) -> None:
        """The client sent something."""
        self._answered = True

    def poll(self, now: float) -> int | None:
        """The number of the ping to send at `now`; None where none is due. Raises SilentPeerError."""
        if now < self.wake_at:
            return None
        if not self._answered:
            raise SilentPeerError(f"the client did not answer a ping within {self._interval_s:g} s")
        self._answered = False
        self._pings += 1
        self.wake_at = now + self._interval_s
        return self._pings
