"""Chunks say which characters they speak."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.tts.alignment import Chunk, Mark, align, chunks, cut, settle
from services.tts.g2p.base import Segment

SHORTEST = 1200


@st.composite
def spoken(draw: st.DrawFn) -> tuple[list[Segment], list[int], int]:
    """Segments, their durations, and the samples before them."""
    segments = []
    end = 0
    for _ in range(draw(st.integers(1, 15))):
        end += draw(st.integers(0, 6))
        segments.append(Segment(draw(st.sampled_from(["", " ", ", ", "a", "bcd"])), end))
    durations = draw(st.lists(st.integers(0, 4000), min_size=len(segments), max_size=len(segments)))
    return segments, durations, draw(st.integers(0, 3000))


def test_a_word_is_spoken_where_its_phonemes_end() -> None:
    segments = [Segment("wˈʌn", 3), Segment(" ", 4), Segment("tˈu", 7)]
    marks = align(segments, [5000, 200, 4000], lead=1000)
    assert chunks(marks, 10_200, 0, 7, SHORTEST) == [Chunk(0, 6000, 0, 4), Chunk(6000, 10_200, 4, 7)]


def test_punctuation_counts_with_the_word_before_it_and_its_pause_is_silence() -> None:
    # "yes, no": the comma's 2400 samples are a chunk without text.
    segments = [Segment("jˈɛs", 3), Segment(",", 4), Segment(" ", 5), Segment("nˈO", 7)]
    marks = align(segments, [4000, 1200, 1200, 4000], lead=0)
    assert chunks(marks, 10_400, 0, 7, SHORTEST) == [
        Chunk(0, 4000, 0, 5),
        Chunk(4000, 5200, 5, 5),
        Chunk(5200, 6400, 5, 5),
        Chunk(6400, 10_400, 5, 7),
    ]


def test_an_opening_quote_belongs_to_the_word_after_it() -> None:
    segments = [Segment("“", 1), Segment("nˈO", 3), Segment("”", 4)]
    marks = align(segments, [2000, 4000, 0], lead=500)
    assert chunks(marks, 6500, 0, 4, SHORTEST) == [Chunk(0, 2500, 0, 0), Chunk(2500, 6500, 0, 4)]


def test_short_words_share_a_chunk() -> None:
    segments = [Segment("ə", 1), Segment("ɪ", 2), Segment("kˈæt", 5)]
    marks = align(segments, [600, 700, 5000], lead=0)
    assert chunks(marks, 6300, 0, 5, SHORTEST) == [Chunk(0, 1300, 0, 2), Chunk(1300, 6300, 2, 5)]


def test_a_word_ends_where_the_silence_after_it_begins() -> None:
    marks = [Mark(5000, 4, False), Mark(6000, 5, True), Mark(9000, 9, False)]
    assert settle(marks, [(4300, 6200)], early=200, reach=1000) == [
        Mark(4300, 4, False),
        Mark(6200, 5, True),
        Mark(8800, 9, False),
    ]


def test_a_silence_inside_a_word_moves_nothing() -> None:
    marks = [Mark(5000, 4, False), Mark(6000, 5, True), Mark(9000, 9, False)]
    assert settle(marks, [(7000, 7400)], early=0, reach=500) == marks


def test_no_samples_are_no_chunks() -> None:
    assert chunks([Mark(0, 3, False)], 0, 0, 3, SHORTEST) == []


@given(spoken(), st.integers(0, 50), st.integers(0, 20_000), st.integers(0, 20_000), st.integers(0, 3))
def test_chunks_cover_all_samples_and_all_text_in_order(
    utterance: tuple[list[Segment], list[int], int], offset: int, first: int, length: int, unspoken: int
) -> None:
    segments, durations, lead = utterance
    marks = settle(align(segments, durations, lead), [(2000, 5000), (9000, 9500)], early=300, reach=2000)
    shifted = [Mark(mark.sample, mark.text + offset, mark.pause) for mark in cut(marks, first, first + length)]
    text_end = shifted[-1].text + unspoken
    found = chunks(shifted, length, offset, text_end, SHORTEST)
    if not length:
        assert found == []
        return
    assert (found[0].start, found[-1].stop) == (0, length)
    assert (found[0].text_start, found[-1].text_end) == (offset, text_end)
    for before, after in itertools.pairwise(found):
        assert (before.stop, before.text_end) == (after.start, after.text_start)
    assert all(chunk.text_start <= chunk.text_end for chunk in found)
    assert all(chunk.stop - chunk.start >= min(SHORTEST, length) for chunk in found)


@given(spoken())
def test_marks_keep_their_order(utterance: tuple[list[Segment], list[int], int]) -> None:
    marks = settle(align(*utterance), [(1000, 4000)], early=600, reach=3000)
    assert [mark.sample for mark in marks] == sorted(mark.sample for mark in marks)
    assert [mark.text for mark in marks] == sorted(mark.text for mark in marks)
