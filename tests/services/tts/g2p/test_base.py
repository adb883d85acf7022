"""Segments are grouped so that a model can take them."""

from hypothesis import given
from hypothesis import strategies as st

from services.tts.g2p.base import Segment, fit

PHONEMES = st.sampled_from(["", " ", ", ", ". ", "a", "bcd", "efghij", "k" * 23])


def segments(phonemes: list[str]) -> list[Segment]:
    return [Segment(each, 2 * number + 2) for number, each in enumerate(phonemes)]


def test_a_group_ends_after_punctuation_where_it_can() -> None:
    groups = fit(segments(["aaa", "bbb", ",", "ccc", "ddd"]), 11)
    assert [[each.phonemes for each in group] for group in groups] == [["aaa", "bbb", ","], ["ccc", "ddd"]]


def test_only_the_last_part_of_a_cut_word_ends_where_the_word_ends() -> None:
    groups = fit([Segment("a", 1), Segment("b" * 7, 9)], 3)
    ends = [(each.phonemes, each.end) for group in groups for each in group]
    assert ends == [("a", 1), ("bbb", 1), ("bbb", 1), ("b", 9)]


@given(st.lists(PHONEMES, max_size=30), st.integers(3, 40))
def test_groups_keep_every_phoneme_in_order_within_the_limit(phonemes: list[str], limit: int) -> None:
    groups = fit(segments(phonemes), limit)
    flat = [each for group in groups for each in group]
    assert "".join(each.phonemes for each in flat) == "".join(phonemes)
    assert [each.end for each in flat] == sorted(each.end for each in flat)
    assert all(sum(len(each.phonemes) for each in group) <= limit for group in groups)
