"""The playout clock under any chunks, call times and pauses, against a listener who counts for himself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.playout import Playout

LATER_S = 3_600.0
# PCM in which a lost, doubled or moved piece is seen.
COUNT = b"".join(number.to_bytes(2, "little") for number in range(65_536))
LEADS_S = (0.005, 0.02, 0.06, 0.15, 1.0)
RATES = (8_000, 22_050, 24_000, 44_100)
# A clock that has run for a long time has coarse floats.
STARTS_S = (0.0, 12_345.678, 1e8)

LATIN = st.sampled_from(
    ["a", "I", "don't", "rock'n'roll", "twenty-one", "3.14", "1,000", "Straße", "naïve", "(yes)", "U.S.", "wonderful"]
)
HAN = st.sampled_from("法国的首都是巴黎ひらがなカー々。，")
SPACED = LATIN.map(lambda word: [f"{word} "])
# Words, each with the space behind it; a Han or kana character is one. Latin letters may touch Han ones.
WORDS: st.SearchStrategy[list[str]] = st.lists(
    SPACED | HAN.map(lambda char: [char]) | st.tuples(LATIN, HAN).map(list), max_size=12
).map(lambda groups: [word for group in groups for word in group])


@dataclass(frozen=True, slots=True)
class Speech:
    """A text in words, and chunks of (samples, characters) that together speak all of it."""

    words: list[str]
    chunks: list[tuple[int, int]]

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def pcm(self) -> bytes:
        return COUNT[: 2 * sum(samples for samples, _ in self.chunks)]


@st.composite
def speeches(draw: Callable[..., Any]) -> Speech:
    """Chunks without characters are silence, such without samples are text that nobody says."""
    words: list[str] = draw(WORDS)
    length = sum(map(len, words))
    cuts = [0, *sorted(draw(st.lists(st.integers(0, length), max_size=10))), length]
    samples = st.sampled_from((0, 1, 30, 480, 1_200, 4_800))
    return Speech(words, [(draw(samples), end - start) for start, end in pairwise(cuts)])


@dataclass(slots=True)
class Listening:
    """A playout, a listener who plays what he gets without a gap and waits where there is nothing, and a clock."""

    playout: Playout
    lead_s: float
    now: float
    taken: bytearray = field(default_factory=bytearray)
    told: str = ""
    played: Fraction = Fraction(0)
    heard: int = 0

    def wait(self, seconds: float) -> None:
        """Lets time pass and looks at what was heard."""
        before, self.now = self.now, self.now + seconds
        self.played += (Fraction(self.now) - Fraction(before)) * self.playout.rate
        self.played = min(self.played, Fraction(self.sent))
        heard = self.playout.heard_samples(self.now)
        assert self.heard <= heard <= self.sent
        assert abs(heard - self.played) <= 1
        self.heard = heard

    def take(self) -> bool:
        """Takes what may be sent. Whether anything was."""
        due = self.playout.next_due_s(self.now) == 0.0
        waiting = self.playout.waiting_s > 0
        outgoing = self.playout.take(self.now)
        assert not due or outgoing is not None, "take was due and gave nothing"
        if outgoing is not None:
            assert outgoing.pcm if waiting else outgoing.text
            self.taken += outgoing.pcm
            self.told += outgoing.text
        assert self.playout.sent_samples == self.sent
        assert self.playout.sent_text == self.told
        assert self.sent - self.played <= max(1.0, self.lead_s * self.playout.rate) + 1
        return outgoing is not None

    def wait_until_due(self) -> bool:
        """Waits as long as the playout says, then takes. Whether anything was due."""
        due_s = self.playout.next_due_s(self.now)
        if due_s is None:
            assert not self.take()
            return False
        assert due_s >= 0
        self.wait(due_s)
        assert self.take(), "the time had come and there was nothing"
        return True

    @property
    def sent(self) -> int:
        return len(self.taken) // 2


@given(
    speeches(),
    st.sampled_from(LEADS_S),
    st.sampled_from(RATES),
    st.sampled_from(STARTS_S),
    st.lists(st.sampled_from(("append", "take", "due")) | st.floats(0, 0.3), max_size=40),
)
def test_any_speech_is_played_whole_in_order_and_at_its_pace(
    speech: Speech, lead_s: float, rate: int, start_s: float, steps: list[str | float]
) -> None:
    playout = Playout(lead_s)
    playout.rate = rate
    listening = Listening(playout, lead_s, start_s)
    prefixes = {prefix.rstrip() for prefix in ("", *accumulate(speech.words))}
    playout.text = speech.text
    chunks = iter(speech.chunks)
    spoken = said = 0
    heard_text = ""
    # Whatever was done or not, in the end all of it is appended and played.
    for step in (*steps, *("append",) * len(speech.chunks)):
        match step:
            case "append":
                samples, characters = next(chunks, (0, 0))
                playout.append(COUNT[2 * spoken : 2 * (spoken + samples)], said, said + characters)
                spoken, said = spoken + samples, said + characters
            case "take":
                listening.take()
            case "due":
                listening.wait_until_due()
            case float():
                listening.wait(step)
        now_heard = playout.heard_text(listening.now)
        assert now_heard in prefixes
        assert len(now_heard) >= len(heard_text)
        heard_text = now_heard
    while listening.wait_until_due():
        pass
    assert bytes(listening.taken) == speech.pcm
    assert listening.told == speech.text
    assert playout.heard_text(listening.now + LATER_S) == speech.text.rstrip()
    assert playout.waiting_s == 0


@given(WORDS, st.data())
def test_where_every_chunk_speaks_one_word_what_was_heard_is_right_to_one_word(
    words: list[str], data: st.DataObject
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 20_000), min_size=len(words), max_size=len(words)))
    playout = Playout(1.0)
    for word, samples in zip(words, lengths, strict=True):
        start = len(playout.text)
        playout.text += word
        playout.append(bytes(2 * samples), start, len(playout.text))
    position = data.draw(st.integers(0, sum(lengths)))
    whole = sum(end <= position for end in accumulate(lengths))
    nearest = {"".join(words[:count]).rstrip() for count in (whole, whole + 1)}
    assert playout.text_until(position) in nearest


@given(WORDS, st.lists(st.tuples(st.integers(0, 2_000), st.integers(-5, 60), st.integers(-5, 60)), max_size=8))
def test_no_alignment_however_wrong_takes_heard_words_back(words: list[str], spans: list[tuple[int, int, int]]) -> None:
    playout = Playout(10.0)
    playout.text = "".join(words)
    for samples, start, end in spans:
        playout.append(bytes(2 * samples), start, end)
    total = sum(samples for samples, _, _ in spans)
    heard = [playout.text_until(position) for position in range(0, total + 1, 97)]
    assert all(after.startswith(before) for before, after in pairwise(heard))
    assert all(playout.text.startswith(text) for text in heard)
