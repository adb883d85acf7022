"""When a process that exited is started again: pure, the caller passes the time in.

The delay doubles from `initial_s` to `max_s` while the process keeps dying, and starts over once a life has been ready
for `stable_s`. Two ends are final: an exit with status 2, with which the fleet's servers refuse their settings
(`chassis.settings.load`), and `max_failed_starts` lives in a row of a process that was never ready.
"""

from dataclasses import dataclass

BAD_SETTINGS_STATUS = 2


@dataclass(frozen=True, slots=True)
class Restart:
    """Start the process again after `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start the process again; `reason` completes the sentence "<name> ..."."""

    reason: str


Decision = Restart | GiveUp


@dataclass(frozen=True, slots=True)
class RestartLimits:
    """Delays and ends of a restart policy, in seconds and lives."""

    initial_s: float = 0.5
    max_s: float = 30.0
    stable_s: float = 60.0
    max_failed_starts: int = 5


class RestartPolicy:
    """The decisions for one process: tell it `ready` and `exited`, in the order in which they happen."""

    def __init__(self, limits: RestartLimits) -> None:
        self._limits = limits
        self._crashes_in_a_row = 0
        self._failed_starts = 0
        self._ever_ready = False
        self._ready_at: float | None = None

    def ready(self, now: float) -> None:
        """The present life is ready since `now` (seconds, monotonic); later calls in the same life change nothing."""
        self._ever_ready = True
        if self._ready_at is None:
            self._ready_at = now

    def exited(self, now: float, returncode: int) -> Decision:
        """The present life ended unasked at `now` with `returncode` (negative: the number of the signal)."""
        if returncode == BAD_SETTINGS_STATUS:
            return GiveUp("refused its settings")
        if not self._ever_ready:
            self._failed_starts += 1
            if self._failed_starts >= self._limits.max_failed_starts:
                return GiveUp(f"never became ready in {self._failed_starts} starts")
        if self._ready_at is not None and now - self._ready_at >= self._limits.stable_s:
            self._crashes_in_a_row = 0
        self._ready_at = None
        # Capping the exponent keeps the power finite however long a process has been dying.
        delay_s = min(self._limits.initial_s * 2.0 ** min(self._crashes_in_a_row, 60), self._limits.max_s)
        self._crashes_in_a_row += 1
        return Restart(delay_s)
