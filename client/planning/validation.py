"""The simulation of the CPU fleet against what that fleet was measured to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from client.planning.catalog import Measured, machine, measured, talk
from client.planning.simulation import Outcome, Scenario, simulate

CALIBRATED = 1
"""Figures of one session went into the data of the CPU machine; more sessions are predicted from it."""
SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A number of sessions: predicted, and measured where it was. Errors are (predicted - measured) / measured."""

    predicted: Outcome
    measured: Measured | None

    @property
    def p50_error(self) -> float | None:
        """Relative error of the median; None where nothing was measured."""
        return None if self.measured is None else self.predicted.p(50) / self.measured.p50_ms - 1

    @property
    def p90_error(self) -> float | None:
        """Relative error of the 90th percentile; None where nothing was measured."""
        return None if self.measured is None else self.predicted.p(90) / self.measured.p90_ms - 1


def validate(seed: int = 1, more: Sequence[int] = (8,)) -> list[Comparison]:
    """Simulates every run that was measured, and as many sessions as `more` says beside them."""
    runs = {each.sessions: each for each in measured()}
    cpu, bench = machine("cpu"), talk("bench")
    return [
        Comparison(
            simulate(Scenario(machine=cpu, talk=bench, voice="hibari", sessions=sessions, seconds=SECONDS, seed=seed)),
            runs.get(sessions),
        )
        for sessions in sorted({*runs, *more})
    ]
