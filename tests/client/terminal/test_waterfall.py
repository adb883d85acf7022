from hypothesis import given
from hypothesis import strategies as st

from client.terminal.waterfall import Step, steps, waterfall

MARKS = {
    "endpoint": 500.0,
    "flush": 500.0,
    "transcript": 600.0,
    "generate": 600.0,
    "first_token": 750.0,
    "first_clause": 900.0,
    "first_audio": 990.0,
    "audio_sent": 1000.0,
}
NAMES = sorted(MARKS)


def test_steps_follow_each_other() -> None:
    assert steps(MARKS) == [
        Step("end of turn", 0, 500),
        Step("transcript", 500, 600),
        Step("first token", 600, 750),
        Step("first clause", 750, 900),
        Step("first audio", 900, 990),
        Step("sent", 990, 1000),
    ]


def test_bars_are_aligned_on_one_axis() -> None:
    # 44 columns for 1000 ms: the 70 less 2 on either side, 12 for names, 2 between, 8 for durations.
    assert waterfall(MARKS, width=70) == [
        "  end of turn   ██████████████████████                        500 ms",
        "  transcript                          ████                    100 ms",
        "  first token                             ███████             150 ms",
        "  first clause                                   ███████      150 ms",
        "  first audio                                           ████   90 ms",
        "  sent                                                     ▏   10 ms",
        "                0        200      400     600      800",
    ]


def test_a_draft_waits_for_the_end_of_the_turn_before_it_is_sent() -> None:
    draft = MARKS | {"flush": 200.0, "transcript": 300.0, "generate": 300.0, "first_token": 400.0}
    draft |= {"first_clause": 450.0, "first_audio": 480.0, "endpoint": 600.0, "audio_sent": 605.0}
    assert steps(draft) == [
        Step("end of turn", 0, 600),
        Step("transcript", 200, 300),
        Step("first token", 300, 400),
        Step("first clause", 400, 450),
        Step("first audio", 450, 480),
        Step("sent", 600, 605),
    ]


def test_a_step_whose_beginning_is_missing_begins_where_the_one_before_ended() -> None:
    assert steps({"endpoint": 500.0, "first_token": 700.0, "audio_sent": 900.0}) == [
        Step("end of turn", 0, 500),
        Step("first token", 500, 700),
        Step("sent", 700, 900),
    ]


def test_without_marks_there_is_no_picture() -> None:
    assert waterfall({}) == []
    assert waterfall({"something_new": 1.0}) == []


@given(
    st.dictionaries(st.sampled_from(NAMES), st.floats(-1e4, 1e6, allow_nan=False)),
    st.integers(40, 120),
)
def test_any_marks_fit_the_width_and_no_step_runs_backwards(marks: dict[str, float], width: int) -> None:
    assert all(step.duration_ms >= 0 for step in steps(marks))
    lines = waterfall(marks, width)
    assert all(len(line) <= width for line in lines)
    assert len(lines) == (len(steps(marks)) + 1 if steps(marks) else 0)
    assert len({len(line) for line in lines[:-1]}) <= 1
