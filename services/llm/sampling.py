"""How families of models are best sampled, as their makers say: the defaults where neither a setting nor a stream does.

Sources: the model cards and `generation_config.json` of the families named. Qwen3's figures are those for answers
without thinking, which is how a voice answers.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling of one family of models; the values left out change nothing."""

    temperature: float
    top_p: float
    top_k: int = 0
    """Most tokens to choose from; 0: all."""
    presence_penalty: float = 0.0
    """Subtracted from the logit of every token that the answer holds already."""
    repeat_penalty: float = 1.0
    """Divides the positive logits of tokens that the prompt or the answer hold, and multiplies the negative ones."""


OTHERS = Sampling(temperature=0.3, top_p=0.9)
"""For a family that is not listed: close to greedy, because short spoken answers gain nothing from variety."""

FAMILIES: tuple[tuple[re.Pattern[str], Sampling], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), sampling)
    for pattern, sampling in (
        (r"qwen-?3", Sampling(temperature=0.7, top_p=0.8, top_k=20)),
        (r"qwen-?2\.5", Sampling(temperature=0.7, top_p=0.8, top_k=20, repeat_penalty=1.05)),
        (r"llama-?3", Sampling(temperature=0.6, top_p=0.9)),
        (r"gemma-?3", Sampling(temperature=1.0, top_p=0.95, top_k=64)),
        (r"mistral-small", Sampling(temperature=0.15, top_p=1.0)),
        (r"smollm3", Sampling(temperature=0.6, top_p=0.95)),
        (r"smollm2", Sampling(temperature=0.2, top_p=0.9)),
    )
)
"""Families by a pattern of the model's name; the first that is found in it decides."""


def sampling_of(model: str) -> Sampling:
    """The sampling of the family that a model's name tells, of `OTHERS` where it tells none."""
    return next((sampling for pattern, sampling in FAMILIES if pattern.search(model)), OTHERS)
