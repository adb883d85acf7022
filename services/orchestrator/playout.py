"""The playout clock: which audio of a reply may be sent now, and which of its words were heard. Pure.

Audio leaves at the pace of playback plus a small lead, so that an interruption finds little of it on the way. The
listener is taken to play without a gap from the moment the first audio is sent, and to wait where nothing is left.

A client that knows better may report where its loudspeaker is. What was *heard* is counted from its last report on;
*pacing* stays with the clock, so that a player that fills a buffer before it begins gets what it waits for, but never
more than `MAX_BEHIND_S` beyond the lead, so that one that stalls is not flooded.
"""

from bisect import bisect_right
from dataclasses import dataclass

from services.orchestrator.characters import continues_letter, is_wide

# Samples. Times are floats: what they lose in rounding must not hold back audio that is due, nor unhear a sample.
_ROUNDING = 0.01
MAX_BEHIND_S = 1.0
"""How far a loudspeaker that reports may be behind the clock before the sending waits for it: more than what a jitter
buffer and a wireless loudspeaker hold back together."""
MAX_HOLD_S = 10.0
"""How long a loudspeaker that reported that it stands still is taken to do so without saying it again."""
# Marks between two words that stand without a space.
_BREAKS = frozenset("—…")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """PCM s16le to send now, and the text that begins to be spoken with it ("" while a word goes on).

    `pcm` is empty where all that is left of a reply is text that nobody says.
    """

    pcm: bytes
    text: str


@dataclass(slots=True)
class _Loudspeaker:
    """It was at `position` (samples) at the time `as_of`, and plays on from there at pace, or is `held` there."""

    position: float = 0.0
    as_of: float = 0.0
    held: bool = False

    def at(self, now: float, rate: int) -> float:
        """Its position at `now` if it never ran out of audio."""
        return self.position + max(0.0, now - self.as_of - (MAX_HOLD_S if self.held else 0.0)) * rate

    def held_for(self, now: float) -> float:
        """Seconds that it stays held if nothing more is said."""
        return max(0.0, self.as_of + MAX_HOLD_S - now) if self.held else 0.0

    def wait_at(self, limit: float, now: float, rate: int) -> None:
        """What was sent before `now` ends at `limit`: it cannot be further, and waits there for what is sent next."""
        if not self.held_for(now):
            self.position, self.as_of, self.held = min(limit, self.at(now, rate)), now, False


class Playout:
    """One reply's audio. `rate` in hertz, `lead_s` seconds of audio may be ahead of the listener; `min_send_s` of it is
    worth a message, or half the lead where that is less.

    Text positions are Unicode code points into `text`, which grows as clauses are handed to the voice.
    """

    def __init__(self, lead_s: float, min_send_s: float = 0.06) -> None:
        self.rate = 24_000
        self.text = ""
        self._lead_s = lead_s
        # More than the lead would never be due.
        self._min_send_s = min(min_send_s, lead_s / 2)
        self._waiting = bytearray()
        self._sent = 0  # samples
        self._text_sent = 0
        self._clock = _Loudspeaker()
        self._reported: _Loudspeaker | None = None
        # Parallel: the samples at which a span of text has been spoken whole, and where that span ends.
        self._span_ends: list[int] = [0]
        self._text_starts: list[int] = [0]
        self._text_ends: list[int] = [0]

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that have not been sent."""
        return self._waiting_samples / self.rate

    @property
    def sent_samples(self) -> int:
        """Samples sent so far."""
        return self._sent

    @property
    def sent_text(self) -> str:
        """The text whose audio has been sent, at least in part."""
        return self.text[: self._text_sent]

    def append(self, pcm: bytes, text_start: int, text_end: int) -> None:
        """Adds PCM s16le that speaks the characters `text_start` to `text_end` of `text`.

        A sample may be split over two chunks. A span that overlaps the one before it or the end of `text` is cut.
        """
        self._waiting += pcm
        before = self._text_ends[-1]
        end = min(max(text_end, before), len(self.text))
        self._span_ends.append(self._sent + self._waiting_samples)
        self._text_starts.append(min(max(text_start, before), end))
        self._text_ends.append(end)

    def next_due_s(self, now: float) -> float | None:
        """Seconds until `take` should be called again, and will give something; None where nothing waits."""
        waiting = self._waiting_samples
        if not waiting:
            return 0.0 if self._text_sent < self._text_ends[-1] else None
        # Waiting for a worthwhile amount keeps messages few; the tail of a reply is sent whatever its size.
        needed = min(max(1, int(self._min_send_s * self.rate)), waiting)
        return max(
            0.0 if int(room + _ROUNDING) >= needed else (needed - room) / self.rate + loudspeaker.held_for(now)
            for loudspeaker, room in self._rooms_at(now)
        )

    def take(self, now: float) -> Outgoing | None:
        """What may be sent at `now`, which counts as sent; None where nothing may."""
        for loudspeaker, _ in self._rooms_at(now):
            loudspeaker.wait_at(self._sent, now, self.rate)
        waiting = self._waiting_samples
        samples = min(waiting, *(int(room + _ROUNDING) for _, room in self._rooms_at(now)))
        if waiting and samples <= 0:
            return None
        pcm = bytes(self._waiting[: samples * 2])
        del self._waiting[: samples * 2]
        self._sent += samples
        until = self._text_at(self._sent, started=True)
        text = self.text[self._text_sent : until]
        self._text_sent = until
        return Outgoing(pcm, text) if pcm or text else None

    def report(self, samples: float, now: float, *, playing: bool = True) -> None:
        """The client says at `now` that its loudspeaker has played the first `samples` samples, and whether it goes on.

        From then on the position runs from there. Less than nothing and more than was sent count as none and as all.
        """
        position = min(max(0.0, samples), float(self._sent))
        self._reported = _Loudspeaker(position, now, held=not playing)
        if position > self._at(self._clock, now):
            # Its crystal runs faster than ours, or the clock stood still where it did not.
            self._clock = _Loudspeaker(position, now)

    def resume(self, now: float) -> None:
        """Sending goes on at `now` after a pause: so does a loudspeaker that was held for it, from where it stood."""
        if self._reported is not None and self._reported.held_for(now):
            self._reported = _Loudspeaker(self._reported.position, now)
            self._clock = _Loudspeaker(self._reported.position, now)

    def lag_s(self, now: float) -> float:
        """Seconds until a loudspeaker that reports has no more before it than the lead; 0 for one that does not.

        No longer than `MAX_BEHIND_S` after the clock says so, unless it is held.
        """
        if self._reported is None:
            return 0.0
        ahead = self._sent - self._lead_s * self.rate
        left_s = (ahead - self._at(self._reported, now)) / self.rate
        if left_s > 0 and (held_s := self._reported.held_for(now)):
            return left_s + held_s
        return max(0.0, min(left_s, (ahead - self._clock.at(now, self.rate)) / self.rate + MAX_BEHIND_S))

    def heard_samples(self, now: float) -> int:
        """Samples that the listener has heard at `now`."""
        return int(self._at(self._reported or self._clock, now) + _ROUNDING)

    def heard_text(self, now: float) -> str:
        """The text that the listener has heard at `now`, to whole words."""
        return self.text_until(self.heard_samples(now))

    def text_until(self, samples: int) -> str:
        """The text that the first `samples` samples speak, to whole words; a word that is half spoken counts."""
        return _whole_words(self.text, self._text_at(samples, started=False))

    @property
    def _waiting_samples(self) -> int:
        return len(self._waiting) // 2

    def _rooms_at(self, now: float) -> list[tuple[_Loudspeaker, float]]:
        """Samples that may be sent at `now` for each loudspeaker's sake: the least of them may be."""
        lead = max(1.0, self._lead_s * self.rate)
        rooms = [(self._clock, lead)]
        if self._reported is not None:
            rooms.append((self._reported, lead + MAX_BEHIND_S * self.rate))
        return [(each, ahead - (self._sent - self._at(each, now))) for each, ahead in rooms]

    def _at(self, loudspeaker: _Loudspeaker, now: float) -> float:
        """Where a loudspeaker is at `now`: no further than what was sent."""
        return min(float(self._sent), loudspeaker.at(now, self.rate))

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
        start = self._text_starts[at]
        return start + int(share * (self._text_ends[at] - start) + 0.5)


def _whole_words(text: str, end: int) -> str:
    """`text` up to `end`, with a word that `end` cuts made whole where half of its letters are heard, else left out.

    A word is what stands between spaces, marks and all ("don't", "3.14", "twenty-one,"); a character of a script that
    is written without spaces is a word of its own.
    """
    start = stop = max(0, min(end, len(text)))
    while _inside_word(text, start):
        start -= 1
    while _inside_word(text, stop):
        stop += 1
    heard = sum(char.isalnum() for char in text[start:end])
    return text[: stop if heard * 2 >= sum(char.isalnum() for char in text[start:stop]) else start].rstrip()


def _inside_word(text: str, at: int) -> bool:
    """Whether a cut at `at` would go through a word."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if continues_letter(after):
        return True
    return not (before.isspace() or after.isspace() or before in _BREAKS or _is_unspaced(before) or _is_unspaced(after))


def _is_unspaced(char: str) -> bool:
    """Han, kana and wide punctuation; Thai, Lao, Burmese and Khmer."""
    return is_wide(char) or "\u0e00" <= char <= "\u0eff" or "\u1000" <= char <= "\u109f" or "\u1780" <= char <= "\u17ff"
