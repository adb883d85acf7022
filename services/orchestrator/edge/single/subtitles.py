"""A transcript in pieces with times: segments of words, and the subtitle formats made of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.orchestrator.characters import CLOSERS, SENTENCE_MARKS

LONGEST_S = 7.0
"""What subtitlers take for the longest that one line should stand."""
MOST_CHARACTERS = 84
"""Two lines of 42 characters, their usual width."""
_LONG_GAP_S = 1.0
_CLOSING = "".join(CLOSERS)


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was said, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Words that belong together, as they stand in the text, and when they were said, in seconds."""

    text: str
    start_s: float
    end_s: float


def segments(text: str, words: Sequence[Word], duration_s: float) -> list[Segment]:
    """`text` cut after sentences, long gaps, and where it would stand too long or be too wide.

    Words that do not stand in the text are passed over. A text of which no word has a time is one segment.
    """
    placed = _placed(text, words)
    if not placed:
        return [Segment(text, 0.0, duration_s)] if text else []
    found: list[Segment] = []
    first = 0
    for index, (_, end, word) in enumerate(placed):
        begin = 0 if first == 0 else placed[first][0]
        following = placed[index + 1] if index + 1 < len(placed) else None
        if following is not None:
            next_start, next_end, next_word = following
            between = word.text.rstrip(_CLOSING)[-1:] + text[end:next_start]
            goes_on = (
                SENTENCE_MARKS.isdisjoint(between)
                and next_word.start_s - word.end_s < _LONG_GAP_S
                and next_word.end_s - placed[first][2].start_s <= LONGEST_S
                and next_end - begin <= MOST_CHARACTERS
            )
            if goes_on:
                continue
        cut = len(text) if following is None else following[0]
        found.append(Segment(text[begin:cut].strip(), placed[first][2].start_s, word.end_s))
        first = index + 1
    return found


def _placed(text: str, words: Sequence[Word]) -> list[tuple[int, int, Word]]:
    """Where each word begins and ends in the text."""
    placed: list[tuple[int, int, Word]] = []
    at = 0
    for word in words:
        start = text.find(word.text, at) if word.text else -1
        if start >= 0:
            at = start + len(word.text)
            placed.append((start, at, word))
    return placed


def to_srt(pieces: Sequence[Segment]) -> str:
    """SubRip."""
    return "".join(
        f"{number}\n{_clock(piece.start_s, ',')} --> {_clock(piece.end_s, ',')}\n{piece.text}\n\n"
        for number, piece in enumerate(pieces, 1)
    )


def to_vtt(pieces: Sequence[Segment]) -> str:
    """WebVTT, https://www.w3.org/TR/webvtt1/."""
    cues = "".join(
        f"{_clock(piece.start_s, '.')} --> {_clock(piece.end_s, '.')}\n{_escaped(piece.text)}\n\n" for piece in pieces
    )
    return f"WEBVTT\n\n{cues}"


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
