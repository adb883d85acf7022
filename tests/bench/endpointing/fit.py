"""Where the constants of `services.orchestrator.completeness` come from: a logistic regression on one half.

The probability enters as its log-odds, every cue as 0 or 1. Both outcomes weigh the same in total, however many there
are of each, and the weights are held back a little (ridge), for the cues are few and rare.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from services.orchestrator.completeness import Cue, cues, log_odds
from tests.bench.endpointing.clips import Kind
from tests.bench.endpointing.figures import Sample
from tests.bench.endpointing.hearing import Stopped

RIDGE = 0.5
_STEPS = 50
Matrix = NDArray[np.float64]


def fit(samples: Iterable[Sample]) -> Mapping[str, float]:
    """Weights of the bias, of the sound and of each cue, for the last stop of every clip."""
    rows, complete = [], []
    for clip, heard in samples:
        stop = next(event for event in reversed(heard) if isinstance(event, Stopped))
        if stop.probability is None:
            continue
        told = cues(stop.text)
        rows.append([1.0, log_odds(stop.probability), *(float(cue in told) for cue in Cue)])
        complete.append(clip.kind is Kind.COMPLETE)
    weights = _regress(np.array(rows), np.array(complete))
    names = ("bias", "sound", *(cue.name.lower() for cue in Cue))
    return dict(zip(names, weights.tolist(), strict=True))


def _regress(inputs: Matrix, complete: NDArray[np.bool_]) -> Matrix:
    """Newton's method on the weighted log-loss."""
    importance = np.where(complete, 0.5 / complete.mean(), 0.5 / (1 - complete.mean()))
    ridge = RIDGE * np.eye(inputs.shape[1])
    ridge[0, 0] = 0.0
    weights: Matrix = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        found = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (importance * (found - complete)) + ridge @ weights
        curvature = (inputs.T * (importance * found * (1 - found))) @ inputs + ridge
        weights = weights - np.linalg.solve(curvature, gradient)
    return weights
