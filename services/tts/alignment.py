"""Which characters each stretch of audio speaks, from the durations that models predict for their phonemes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.tts.g2p.base import Segment


@dataclass(frozen=True, slots=True)
class Mark:
    """At sample `sample` the text is spoken up to offset `text` (code points). `pause`: what ends here was no sound."""

    sample: int
    text: int
    pause: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples `start` to `stop` speak characters `text_start` to `text_end`; none where both are equal."""

    start: int
    stop: int
    text_start: int
    text_end: int


def align(segments: Sequence[Segment], durations: Sequence[int], lead: int) -> list[Mark]:
    """One mark a segment. `durations` are the samples of each segment, `lead` those before the first.

    Punctuation and spaces after a word are spoken with it: their text counts as soon as the word ends, their silence
    stays a pause of its own. The same holds for marks before the first word.
    """
    marks: list[Mark] = []
    at = lead
    for segment, duration in zip(segments, durations, strict=True):
        at += duration
        marks.append(Mark(at, segment.end, segment.is_pause))
    return _absorb(marks)


def _absorb(marks: Sequence[Mark]) -> list[Mark]:
    """Gives each word the text of the pauses that follow it."""
    absorbed: list[Mark] = []
    carried: int | None = None
    for mark in reversed(marks):
        if mark.pause:
            carried = mark.text if carried is None else carried
            absorbed.append(Mark(mark.sample, carried, True))
        else:
            absorbed.append(Mark(mark.sample, mark.text if carried is None else carried, False))
            carried = None
    absorbed.reverse()
    return absorbed


def settle(marks: Sequence[Mark], silences: Sequence[tuple[int, int]], early: int, reach: int) -> list[Mark]:
    """Moves marks to what is heard, never past one another.

    Sounds are heard `early` samples before the model's count says so. Where a silence, (first sample, one past the
    last), begins inside a word that a pause follows and reaches into that pause or to `reach` samples before it, the
    word ends where the silence begins and the pause where it ends.
    """
    settled = [Mark(max(mark.sample - early, 0), mark.text, mark.pause) for mark in marks]
    at = 0
    while at < len(settled):
        after = at + 1
        while after < len(settled) and settled[after].pause:
            after += 1
        if not settled[at].pause and after > at + 1:
            begun = settled[at - 1].sample if at else 0
            last = settled[after - 1].sample
            near = [each for each in silences if begun < each[0] <= last and each[1] > settled[at].sample - reach]
            if near:
                start, stop = near[-1]
                settled[at] = Mark(start, settled[at].text, False)
                settled[at + 1 : after] = [Mark(stop, mark.text, True) for mark in settled[at + 1 : after]]
        at = after
    reached = 0
    ordered = []
    for mark in settled:
        reached = max(reached, mark.sample)
        ordered.append(Mark(reached, mark.text, mark.pause))
    return ordered


def cut(marks: Sequence[Mark], start: int, stop: int) -> list[Mark]:
    """The marks of samples `start` to `stop` alone, counted from `start`."""
    return [Mark(min(max(mark.sample, start), stop) - start, mark.text, mark.pause) for mark in marks]


def chunks(marks: Sequence[Mark], samples: int, text_start: int, text_end: int, shortest: int) -> list[Chunk]:
    """Cuts `samples` samples after words into chunks that together speak exactly `text_start` to `text_end`.

    Chunks follow each other without gap in samples and in text. Each has at least `shortest` samples, unless all there
    are is less. A pause at least that long is a chunk without text. `marks` count samples from 0 and text like
    `text_start`; empty where `samples` is 0.
    """
    if samples <= 0:
        return []
    cuts: list[tuple[int, int]] = []
    sample = text = 0
    text = text_start
    for mark in marks:
        reached = min(max(mark.text, text), text_end)
        at = min(mark.sample, samples)
        if at - sample < shortest:
            continue
        # Text before the first sound belongs to that sound, not to the pause.
        spoken = text if mark.pause else reached
        cuts.append((at, spoken))
        sample, text = at, spoken
    if cuts and samples - cuts[-1][0] < shortest:
        cuts.pop()
    cuts.append((samples, text_end))
    found: list[Chunk] = []
    sample, text = 0, text_start
    for at, reached in cuts:
        found.append(Chunk(sample, at, text, reached))
        sample, text = at, reached
    return found
