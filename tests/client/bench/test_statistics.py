import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.bench.statistics import median, median_marks, merged, slope, spread, summarize, word_error_rate
from client.turns import Gap
from tests.client.bench.runs import run, turn

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1))
def test_a_spread_is_ordered_and_inside_its_values(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    slack = 1e-6
    assert min(values) - slack <= found.p50 <= found.p90 + slack <= found.p99 + 2 * slack <= found.max + 3 * slack
    assert found.max == max(values)
    assert found.count == len(values)
    assert math.isclose(found.mean, sum(values) / len(values), rel_tol=1e-9, abs_tol=1e-6)


def test_percentiles_lie_between_the_values_beside_them() -> None:
    found = spread([100, 200, 300, 400, 500])
    assert found is not None
    assert (found.p50, found.p90, found.max) == (300, 460, 500)


def test_nothing_has_no_spread() -> None:
    assert spread([]) is None
    assert median([]) is None


@given(st.floats(-100, 100), st.floats(-1000, 1000), st.integers(2, 20))
def test_the_slope_of_a_line_is_its_slope(gradient: float, start: float, count: int) -> None:
    found = slope([(20 * x, start + gradient * 20 * x) for x in range(count)])
    assert found is not None
    assert math.isclose(found, gradient, rel_tol=1e-6, abs_tol=1e-6)


def test_one_place_has_no_slope() -> None:
    assert slope([]) is None
    assert slope([(3, 1), (3, 2)]) is None


@pytest.mark.parametrize(
    ("pairs", "rate"),
    [
        ([("Is it noon?", "is it NOON")], 0),
        ([("Is it noon?", "is it new moon")], 2 / 3),
        ([("one two", "one two"), ("three four", "three")], 1 / 4),
        ([("我喜欢猫", "我喜欢狗。")], 1 / 4),
        ([("20 frogs", "twenty frogs")], 0),
        ([], None),
    ],
)
def test_word_errors_are_counted_per_word_said(pairs: list[tuple[str, str]], rate: float | None) -> None:
    assert word_error_rate(pairs) == rate


def test_the_warm_up_is_shown_and_not_counted() -> None:
    found = summarize(run(turn(9000, warm_up=True), turn(400), turn(600)))
    assert found.voice_to_voice is not None
    assert (found.voice_to_voice.p50, found.voice_to_voice.max, found.turns) == (500, 600, 2)
    assert found.warm_up_ms == 9000


def test_a_failed_turn_is_counted_with_its_reason_and_has_no_latency() -> None:
    found = summarize(run(turn(400), turn(100, failure="the reply was failed"), turn(None, failure="lost")))
    assert found.voice_to_voice is not None
    assert (found.voice_to_voice.count, found.turns, found.failed) == (1, 3, 2)
    assert found.failures == {"the reply was failed": 1, "lost": 1}


def test_cut_offs_and_gaps_are_counted() -> None:
    found = summarize(run(turn(), turn(cut_off=True), turn(gaps=(Gap(100, 20), Gap(200, 30)))))
    assert (found.cut_offs, found.glitches, found.glitch_ms) == (1, 2, 50)


def test_marks_are_medians_of_the_turns_that_have_them() -> None:
    found = summarize(
        run(
            turn(marks={"endpoint": 300, "audio_sent": 330}, draft="kept"),
            turn(marks={"endpoint": 400, "audio_sent": 800}),
            turn(marks={"endpoint": 500, "audio_sent": 510}, draft="kept"),
            turn(),
        )
    )
    assert found.marks_ms == {"endpoint": 400, "audio_sent": 510}
    assert found.drafts_kept == 2 / 3
    assert found.after_endpoint is not None
    assert found.after_endpoint_kept is not None
    assert (found.after_endpoint.p50, found.after_endpoint_kept.p50) == (30, 20)


def test_a_server_without_marks_has_no_share_of_drafts() -> None:
    found = summarize(run(turn(), turn()))
    assert (found.drafts_kept, found.marks_ms, found.after_endpoint) == (None, {}, None)
    assert median_marks([]) == {}


def test_costs_are_per_second_of_a_session() -> None:
    found = summarize(run(turn(), late_blocks=5))
    assert found.cpu_per_session_s == {"stt": 0.2, "llm": 0.3, "total": 0.5}
    assert found.client_cpu_per_session_s == 0.05
    assert found.late_blocks == 0.01


def test_a_server_elsewhere_has_no_costs() -> None:
    assert summarize(run(turn(), cpu_s={}, rss_bytes={})).cpu_per_session_s == {}


def test_rounds_of_one_condition_become_one_run() -> None:
    rounds = [
        run(turn(1), server="a", rss_bytes={"stt": 1}),
        run(turn(2), server="b"),
        run(turn(3), server="a", rss_bytes={"stt": 2}, late_blocks=7),
        run(turn(4), server="a", sessions=2),
    ]
    first, second, third = merged(rounds)
    assert [(each.server, each.sessions) for each in (first, second, third)] == [("a", 1), ("b", 1), ("a", 2)]
    assert [each.voice_to_voice_ms for each in first.turns] == [1, 3]
    assert first.load.session_s == 20
    assert first.load.cpu_s == {"stt": 4, "llm": 6}
    assert first.load.rss_bytes == {"stt": 2}
    assert (first.load.blocks, first.load.late_blocks) == (1000, 7)
