"""When a lost connection is opened again: pure, the time is passed in."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from client.errors import ConnectionLostError, ProtocolError, RealtimeError, RejectedError

NORMAL_CLOSURE, POLICY_VIOLATION = 1000, 1008
"""Close codes of RFC 6455, section 7.4.1, with which a server means it."""
_FINAL_STATUSES = frozenset({400, 401, 403, 404})


class ReconnectPolicy(Protocol):
    """Decides, each time that a connection was lost or could not be had, whether there is another attempt."""

    def delay_s(self, failures: int, elapsed_s: float, error: RealtimeError) -> float | None:
        """Seconds until the next attempt; None gives up.

        `failures` attempts have failed since the connection was lost, `elapsed_s` seconds ago; `error` is what happened
        last.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Attempts after `initial_s` seconds, then twice as long each time up to `max_s`, for `give_up_after_s` in all.

    Each delay is shortened by a random share of at most `jitter`, so that the clients of a server that went do not come
    back all at once. Gives up at once where the server has ended the session itself (1000, 1008) or refuses the
    key, the address or the configuration.
    """

    initial_s: float = 0.2
    max_s: float = 5.0
    give_up_after_s: float = 60.0
    jitter: float = 0.3
    random: Callable[[], float] = random.random

    def delay_s(self, failures: int, elapsed_s: float, error: RealtimeError) -> float | None:
        """See `ReconnectPolicy`."""
        match error:
            case ConnectionLostError(code=code) if code in (NORMAL_CLOSURE, POLICY_VIOLATION):
                return None
            case RejectedError(status=status) if status is None or status in _FINAL_STATUSES:
                return None
            case ProtocolError():
                return None
        if elapsed_s >= self.give_up_after_s:
            return None
        # Capping the exponent keeps the power finite.
        delay_s = min(self.initial_s * 2.0 ** min(failures, 60), self.max_s)
        return delay_s * (1 - self.jitter * self.random())
