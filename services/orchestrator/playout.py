"""The playout clock: which audio of a reply may be sent now, and which of its words were heard. Pure.

Audio leaves at the pace of playback plus a small lead, so that an interruption finds little of it on the way. The
listener is taken to play without a gap from the moment the first audio is sent, and to wait where nothing is left.
"""

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """PCM s16le to send now, and the text that begins to be spoken with it ("" while a word goes on)."""

    pcm: bytes
    text: str


class Playout:
    """One reply's audio. `rate` in hertz, `lead_s` seconds of audio may be ahead of the listener.

    Text positions are Unicode code points into `text`, which grows as clauses are handed to the voice.
    """

    def __init__(self, lead_s: float, min_send_s: float = 0.06) -> None:
        self.rate = 24_000
        self.text = ""
        self._lead_s = lead_s
        self._min_send_s = min_send_s
        self._waiting = bytearray()
        self._appended = 0  # samples
        self._sent = 0  # samples
        self._text_sent = 0
        self._played = 0.0  # samples, as of self._as_of
        self._as_of = 0.0
        # Parallel: the samples at which a span of text has been spoken whole, and where that span ends.
        self._span_ends: list[int] = [0]
        self._text_starts: list[int] = [0]
        self._text_ends: list[int] = [0]

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that have not been sent."""
        return (self._appended - self._sent) / self.rate

    @property
    def sent_samples(self) -> int:
        """Samples sent so far."""
        return self._sent

    @property
    def sent_text(self) -> str:
        """The text whose audio has been sent, at least in part."""
        return self.text[: self._text_sent]

    def append(self, pcm: bytes, text_start: int, text_end: int) -> None:
        """Adds PCM s16le that speaks the characters `text_start` to `text_end` of `text`."""
        self._waiting += pcm
        self._appended += len(pcm) // 2
        self._span_ends.append(self._appended)
        self._text_starts.append(text_start)
        self._text_ends.append(max(text_end, self._text_ends[-1]))

    def next_due_s(self, now: float) -> float | None:
        """Seconds until `take` should be called again; None where no audio waits."""
        if not self._waiting:
            return None
        room_s = self._lead_s - (self._sent - self._played_at(now)) / self.rate
        # Waiting for a worthwhile amount keeps messages few; the tail of a reply is sent whatever its size.
        return max(0.0, min(self._min_send_s, self.waiting_s) - room_s)

    def take(self, now: float) -> Outgoing | None:
        """The audio that may be sent at `now`, which counts as sent; None where nothing may."""
        self._played, self._as_of = self._played_at(now), now
        room = int(self._lead_s * self.rate - (self._sent - self._played))
        samples = min(room, self._appended - self._sent)
        if samples <= 0:
            return None
        pcm = bytes(self._waiting[: samples * 2])
        del self._waiting[: samples * 2]
        self._sent += samples
        until = self._text_at(self._sent, started=True)
        text = self.text[self._text_sent : until]
        self._text_sent = max(self._text_sent, until)
        return Outgoing(pcm, text)

    def heard_samples(self, now: float) -> int:
        """Samples that the listener has heard at `now`."""
        return int(self._played_at(now))

    def heard_text(self, now: float) -> str:
        """The text that the listener has heard at `now`, to whole words."""
        return self.text_until(self.heard_samples(now))

    def text_until(self, samples: int) -> str:
        """The text that the first `samples` samples speak, to whole words; a word that is half spoken counts."""
        return _whole_words(self.text, self._text_at(samples, started=False))

    def _played_at(self, now: float) -> float:
        return min(float(self._sent), self._played + max(0.0, now - self._as_of) * self.rate)

    def _text_at(self, samples: int, *, started: bool) -> int:
        """Where the text is after `samples` samples: to the end of a span that has begun, or in proportion."""
        at = bisect_right(self._span_ends, samples)
        if at >= len(self._span_ends):
            return self._text_ends[-1]
        begun, ends = self._span_ends[at - 1], self._span_ends[at]
        if samples <= begun:
            return self._text_ends[at - 1]
        if started:
            return self._text_ends[at]
        share = (samples - begun) / (ends - begun)
        start = max(self._text_starts[at], self._text_ends[at - 1])
        return start + int(share * (self._text_ends[at] - start))


def _whole_words(text: str, end: int) -> str:
    """`text` up to `end`, with a word that `end` cuts in the second half made whole and one cut earlier left out."""
    if end >= len(text) or end <= 0 or not (text[end].isalnum() and text[end - 1].isalnum()):
        return text[: max(end, 0)].rstrip()
    if (not text[end].isascii() and not text[end].isalpha()) or "\u3040" <= text[end] <= "\u9fff":
        return text[:end]
    start = end
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "'\u2019"):
        start -= 1
    stop = end
    while stop < len(text) and (text[stop].isalnum() or text[stop] in "'\u2019"):
        stop += 1
    return text[:stop].rstrip() if (end - start) * 2 >= stop - start else text[:start].rstrip()
