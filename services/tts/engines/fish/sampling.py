# mypy: disable-error-code="import-not-found"
"""The choice of the next code for several rows at once: repetition penalty, top-p, temperature."""

from dataclasses import dataclass

import torch

WINDOW = 16
"""Frames that the repetition penalty looks back, as fish-speech does."""
UNUSED = -1
"""Stands in the history for frames that do not exist yet."""
_COLDEST = 1e-5


@dataclass(frozen=True, slots=True)
class Sampling:
    """`temperature` 0 takes the likeliest code; `top_p` (0, 1]; `repetition_penalty` 1 is none."""

    temperature: float
    top_p: float
    repetition_penalty: float


def choose(logits: torch.Tensor, recent: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """One index a row, int64 [rows], for `logits` [rows, n]. `recent`, int64 [rows, WINDOW], are the last ones chosen.

    Runs without waiting for the device, so that it can be a part of a recorded CUDA graph: the draw from a categorical
    distribution is the argmax of probabilities over exponential noise.
    """
    logits = _penalised(logits.float(), recent, sampling.repetition_penalty)
    ordered, order = torch.sort(logits, dim=-1, descending=True)
    beyond = torch.cumsum(torch.softmax(ordered, dim=-1), dim=-1) > sampling.top_p
    beyond[:, 0] = False
    dropped = torch.zeros_like(beyond).scatter(-1, order, beyond)
    logits = logits.masked_fill(dropped, float("-inf")) / max(sampling.temperature, _COLDEST)
    probabilities = torch.softmax(logits, dim=-1)
    noise = torch.empty_like(probabilities).exponential_(1)
    chosen: torch.Tensor = torch.argmax(probabilities / noise, dim=-1)
    return chosen


def _penalised(logits: torch.Tensor, recent: torch.Tensor, penalty: float) -> torch.Tensor:
    codes = logits.shape[-1]
    # One column more takes what is unused.
    seen = torch.zeros(logits.shape[0], codes + 1, dtype=torch.bool, device=logits.device)
    seen = seen.scatter(-1, torch.where(recent == UNUSED, codes, recent), True)[:, :codes]
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)
