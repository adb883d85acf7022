"""Judges a transcript by what came with it, without hearing the audio: good, doubtful (and why), or nothing said.

A short encoder context makes Whisper faster and now and then wrong: it loops, stops after a word, or goes on for ever.
Each leaves a trace that is cheap to see; a doubtful transcript is worth one more try with a longer context.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MAX_COMPRESSION_RATIO = 2.4
"""Text that zlib shrinks by more repeats itself; Whisper's own threshold (openai/whisper, transcribe.py)."""
MIN_LOG_PROBABILITY = -1.0
"""Mean log-probability a token under which a transcript is a guess; Whisper's own threshold."""
MIN_LOOPS = 3
"""Repetitions at the end of a transcript that make it a loop."""

MIN_SPEECH_S = 0.8
"""Speech under which its length says nothing about the number of words."""
MIN_CHARACTERS_A_SECOND = 4.0
"""Letters and digits a second of speech; people speak at 10 to 20 in alphabetic scripts."""
MIN_DENSE_CHARACTERS_A_SECOND = 1.2
"""The same where a character is a syllable or a word; people speak at 3 to 6."""
DENSE_SCRIPTS = frozenset({"zh", "yue", "ja", "ko"})

NO_SPEECH_PROBABILITY = 0.6
"""With a doubtful transcript: nothing was said. Whisper's own threshold."""
FAINT_SPEECH_S = 0.1
"""Less than this much sound above the background is no word."""
BRIEF_SPEECH_S = 0.5
"""Up to here a cough is as likely as a word."""


class Fault(StrEnum):
    """Why a transcript is doubtful."""

    ENDLESS = "endless"
    """It used up its token budget."""
    REPETITION = "repetition"
    UNLIKELY = "unlikely"
    """The model itself found it improbable."""
    SPARSE = "sparse"
    """Far too few characters for the speech heard."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one decode.

    `tokens` are text tokens without the end mark, `ended` says that the model set that mark within its budget,
    `log_probability` is the mean a token, `speech_s` the seconds of sound that may be speech.
    """

    text: str
    tokens: Sequence[int]
    ended: bool
    log_probability: float
    no_speech_probability: float
    speech_s: float
    language: str


def token_budget(seconds: float, language: str) -> int:
    """Most text tokens that `seconds` of speech in `language` can need, with some to spare."""
    return 10 + int(seconds * TOKENS_A_SECOND.get(language, MAX_TOKENS_A_SECOND))


TOKENS_A_SECOND = dict.fromkeys(("en", "es", "fr", "de", "it", "pt", "nl", "zh", "ja", "ko", "id", "ru"), 8)
"""For the languages that Whisper's vocabulary spells compactly."""
MAX_TOKENS_A_SECOND = 25
"""For the rest: scripts that it spells byte by byte."""


def fault(evidence: Evidence) -> Fault | None:
    """The first thing that is wrong with a transcript; None for a good one."""
    if not evidence.ended:
        return Fault.ENDLESS
    if loop_start(evidence.tokens) is not None or compression_ratio(evidence.text) > MAX_COMPRESSION_RATIO:
        return Fault.REPETITION
    if evidence.log_probability < MIN_LOG_PROBABILITY:
        return Fault.UNLIKELY
    if evidence.speech_s >= MIN_SPEECH_S and _characters(evidence.text) < _fewest(evidence):
        return Fault.SPARSE
    return None


def nothing_said(evidence: Evidence) -> bool:
    """Whether the transcript was made up over silence or noise."""
    if not _characters(evidence.text):
        return True
    silent = evidence.no_speech_probability > NO_SPEECH_PROBABILITY
    unlikely = evidence.log_probability < MIN_LOG_PROBABILITY
    if evidence.speech_s < FAINT_SPEECH_S:
        return silent or fault(evidence) is not None
    return unlikely and (silent or evidence.speech_s < BRIEF_SPEECH_S)


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where the loop that `tokens` end in has been said once: everything from there repeats. None without a loop.

    Of loops within loops the outermost counts.
    """
    length = len(tokens)
    ends = []
    for period in range(1, length // MIN_LOOPS + 1):
        start = length - period
        while start > 0 and tokens[start - 1] == tokens[start - 1 + period]:
            start -= 1
        if length - start >= MIN_LOOPS * period:
            ends.append(start + period)
    return min(ends, default=None)


def compression_ratio(text: str) -> float:
    """Bytes of UTF-8 text for each byte of its zlib form; 0 for none."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _characters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _fewest(evidence: Evidence) -> float:
    dense = evidence.language in DENSE_SCRIPTS
    return evidence.speech_s * (MIN_DENSE_CHARACTERS_A_SECOND if dense else MIN_CHARACTERS_A_SECOND)
