from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stt.windows import (
    COARSE_CONTEXTS_S,
    CONTEXTS_S,
    EARLIEST_CUT,
    LATEST_CUT,
    MARGIN_S,
    MAX_CONTEXT_S,
    RETRY_CONTEXT_S,
    WINDOW_SAMPLES,
    quietest_cut,
    retry_context,
    short_context,
)

RATE = 16_000


@given(st.floats(0, 30), st.sampled_from((CONTEXTS_S, COARSE_CONTEXTS_S)))
def test_a_context_holds_the_clip_and_its_margin_unless_it_is_the_longest(
    seconds: float, contexts: Sequence[int]
) -> None:
    context = short_context(seconds, contexts)
    assert context in contexts
    assert context >= seconds + MARGIN_S or context == MAX_CONTEXT_S


def test_every_clip_of_a_context_shares_it() -> None:
    assert {short_context(seconds / 100) for seconds in range(3000)} == set(CONTEXTS_S)


@pytest.mark.parametrize("contexts", [CONTEXTS_S, COARSE_CONTEXTS_S])
def test_second_tries_share_batches_with_first_ones(contexts: Sequence[int]) -> None:
    assert {RETRY_CONTEXT_S, MAX_CONTEXT_S} <= set(contexts)


@pytest.mark.parametrize(
    ("seconds", "tried", "expected"),
    [(1.0, 5, RETRY_CONTEXT_S), (12.5, 12, RETRY_CONTEXT_S), (12.6, 12, 30), (5.0, 15, 30), (14.0, 18, 30)],
)
def test_a_second_try_gets_a_longer_context(seconds: float, tried: int, expected: int) -> None:
    assert retry_context(seconds, tried) == expected


def test_a_cut_falls_into_the_pause() -> None:
    samples = np.random.default_rng(0).standard_normal(WINDOW_SAMPLES).astype(np.float32)
    samples[10 * RATE : 10 * RATE + RATE // 2] = 0
    assert 10 * RATE < quietest_cut(samples, EARLIEST_CUT, LATEST_CUT) < 10.5 * RATE


def test_of_equal_pauses_the_last_is_cut() -> None:
    assert quietest_cut(np.zeros(WINDOW_SAMPLES, np.float32), EARLIEST_CUT, LATEST_CUT) == LATEST_CUT


@given(st.integers(0, 2**32 - 1))
def test_a_cut_stays_in_its_range(seed: int) -> None:
    samples = np.random.default_rng(seed).standard_normal(WINDOW_SAMPLES).astype(np.float32)
    assert EARLIEST_CUT <= quietest_cut(samples, EARLIEST_CUT, LATEST_CUT) <= LATEST_CUT
