"""From token alignment to words with times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chassis.audio import SAMPLE_RATE
from services.stt.activity import FRAME_SAMPLES, Mask, longest_sound

SAMPLES_A_POSITION = SAMPLE_RATE // 50
"""Whisper's encoder gives one position for every 20 ms."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word without surrounding space; `start` and `end` in samples from the start of the clip; confidence [0, 1]."""

    text: str
    start: int
    end: int
    probability: float


def timed_words(
    words: Sequence[str],
    tokens_of_words: Sequence[int],
    token_positions: Sequence[tuple[int, int]],
    token_probabilities: Sequence[float],
    clip_samples: int,
) -> list[TimedWord]:
    """Times of `words`, which consist of `tokens_of_words` text tokens each.

    `token_positions` is the path of a dynamic time warping as pairs (token, encoder position), both ascending, that
    ends with the end mark's token; a word lasts from its first token's first position to the next word's.
    Punctuation belongs to the word beside it.
    """
    starts: dict[int, int] = {}
    for token, position in token_positions:
        starts.setdefault(token, position)
    last = token_positions[-1][1] + 1 if token_positions else 0
    timed: list[TimedWord] = []
    token = 0
    opening = ""
    for word, count in zip(words, tokens_of_words, strict=True):
        start, end = starts.get(token, last), starts.get(token + count, last)
        probabilities = token_probabilities[token : token + count]
        token += count
        text = opening + word.strip()
        if not any(character.isalnum() for character in word):
            if timed and not (word.startswith(" ") and word.strip() in OPENING):
                before = timed[-1]
                timed[-1] = TimedWord(before.text + word.strip(), before.start, before.end, before.probability)
            else:
                opening = text
            continue
        opening = ""
        timed.append(
            TimedWord(
                text,
                min(start * SAMPLES_A_POSITION, clip_samples),
                min(end * SAMPLES_A_POSITION, clip_samples),
                sum(probabilities) / len(probabilities) if probabilities else 0.0,
            )
        )
    return timed


def within_sound(words: Sequence[TimedWord], active: Mask) -> list[TimedWord]:
    """The words without the silence around them: alignment leaves no gaps, so it hands pauses to their neighbours.

    `active` says of each 20 ms of the clip whether it holds sound. A word over silence alone keeps its times.
    """
    return [_trimmed(word, active) for word in words]


def _trimmed(word: TimedWord, active: Mask) -> TimedWord:
    first, last = word.start // FRAME_SAMPLES, -(-word.end // FRAME_SAMPLES)
    sound = longest_sound(active[first:last])
    if sound is None:
        return word
    start, end = ((first + frame) * FRAME_SAMPLES for frame in sound)
    return replace(word, start=max(word.start, start), end=min(word.end, end))


OPENING = frozenset("\"'“¿([{-«‘¡")
