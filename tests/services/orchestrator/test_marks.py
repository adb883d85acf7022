"""The marks of a turn. Times in seconds on one clock; the last speech sample came at 10.0."""

import pytest

from services.orchestrator.marks import STAGES, Mark, TurnMarks

SPOKEN_TURN = {
    Mark.FLUSH: 10.2,
    Mark.TRANSCRIPT: 10.3,
    Mark.ENDPOINT: 10.5,
    Mark.GENERATE: 10.5,
    Mark.FIRST_TOKEN: 10.64,
    Mark.FIRST_CLAUSE: 10.7,
    Mark.FIRST_AUDIO: 10.73,
    Mark.AUDIO_SENT: 10.75,
}


def marks_of(times: dict[Mark, float], last_speech: float | None = 10.0) -> TurnMarks:
    marks = TurnMarks(last_speech)
    for mark, now in times.items():
        marks.set(mark, now)
    return marks


def test_a_moment_is_marked_the_first_time_only() -> None:
    marks = TurnMarks(10.0)
    marks.set(Mark.AUDIO_SENT, 10.5)
    marks.set(Mark.AUDIO_SENT, 11.0)
    assert marks.times == {Mark.AUDIO_SENT: 10.5}


def test_marks_are_told_in_milliseconds_since_the_last_speech() -> None:
    assert marks_of(SPOKEN_TURN).since_speech_ms() == {
        "flush": 200.0,
        "transcript": 300.0,
        "endpoint": 500.0,
        "generate": 500.0,
        "first_token": 640.0,
        "first_clause": 700.0,
        "first_audio": 730.0,
        "audio_sent": 750.0,
    }


def test_every_stage_is_measured_between_its_own_marks() -> None:
    assert marks_of(SPOKEN_TURN).stage_seconds() == {
        "stt": pytest.approx(0.1),
        "llm": pytest.approx(0.14),
        "tts": pytest.approx(0.03),
        "endpoint": pytest.approx(0.5),
        "voice_to_voice": pytest.approx(0.75),
    }


def test_a_turn_without_speech_has_no_times_since_speech() -> None:
    written: dict[Mark, float] = {
        mark: now for mark, now in SPOKEN_TURN.items() if mark not in (Mark.FLUSH, Mark.TRANSCRIPT)
    }
    marks = marks_of(written, last_speech=None)
    assert marks.since_speech_ms() == {}
    assert set(marks.stage_seconds()) == {"llm", "tts"}


def test_a_clock_that_began_at_zero_is_a_clock() -> None:
    marks = marks_of({Mark.ENDPOINT: 0.5}, last_speech=0.0)
    assert marks.since_speech_ms() == {"endpoint": 500.0}
    assert marks.stage_seconds() == {"endpoint": 0.5}


@pytest.mark.parametrize("missing", list(Mark))
def test_a_stage_that_did_not_finish_is_not_measured(missing: Mark) -> None:
    times = {mark: now for mark, now in SPOKEN_TURN.items() if mark is not missing}
    incomplete = {stage for stage, marks in STAGES.items() if missing in marks}
    incomplete |= {Mark.ENDPOINT: {"endpoint"}, Mark.AUDIO_SENT: {"voice_to_voice"}}.get(missing, set())
    assert set(marks_of(times).stage_seconds()) == {*STAGES, "endpoint", "voice_to_voice"} - incomplete


def test_each_turn_has_marks_of_its_own() -> None:
    marks_of(SPOKEN_TURN)
    assert TurnMarks().times == {}
