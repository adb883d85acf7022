"""The speech gate. Frames are 100 samples, so that the arithmetic reads easily: frame n begins at 100 n."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vad.gate import SpeechEvent, SpeechGate, SpeechStarted, SpeechStopped, release_threshold

FRAME = 100


def run(gate: SpeechGate, probabilities: Iterable[float]) -> list[SpeechEvent]:
    return [event for p in probabilities if (event := gate.push(p, FRAME)) is not None]


def test_speech_begins_at_its_first_frame_though_it_is_known_later() -> None:
    gate = SpeechGate(0.5, min_speech=300, stop_silence=400)
    # Frames 2, 3, 4 are voiced: 300 samples at the end of frame 4.
    assert run(gate, [0, 0, 0.9, 0.9, 0.9, 0.9]) == [SpeechStarted(200, 500)]


def test_speech_ends_where_the_silence_began() -> None:
    gate = SpeechGate(0.5, min_speech=100, stop_silence=300)
    # Silent from 300 on; 300 samples of silence are over at 600.
    assert run(gate, [0.9, 0.9, 0.9, 0, 0, 0, 0]) == [SpeechStarted(0, 100), SpeechStopped(300, 600)]


def test_a_click_shorter_than_the_least_speech_is_nothing() -> None:
    gate = SpeechGate(0.5, min_speech=300, stop_silence=300)
    assert run(gate, [0.9, 0.9, 0, 0.9, 0.9, 0, 0, 0, 0]) == []


def test_a_pause_shorter_than_the_stop_silence_is_part_of_the_speech() -> None:
    gate = SpeechGate(0.5, min_speech=100, stop_silence=300)
    assert run(gate, [0.9, 0, 0, 0.9, 0, 0, 0.9]) == [SpeechStarted(0, 100)]


def test_speech_is_left_at_a_lower_probability_than_it_is_entered() -> None:
    gate = SpeechGate(0.5, min_speech=100, stop_silence=100)
    assert run(gate, [0.4, 0.49]) == []
    assert run(gate, [0.5, 0.4, 0.36]) == [SpeechStarted(200, 300)]
    assert run(gate, [0.34]) == [SpeechStopped(500, 600)]
    # Once left, 0.4 does not bring it back.
    assert run(gate, [0.4, 0.4]) == []


def test_a_low_threshold_still_has_an_end_of_speech() -> None:
    assert release_threshold(0.5) == pytest.approx(0.35)
    assert release_threshold(0.1) == pytest.approx(0.05)
    gate = SpeechGate(0.1, min_speech=100, stop_silence=100)
    assert run(gate, [0.1, 0.04]) == [SpeechStarted(0, 100), SpeechStopped(100, 200)]


def test_no_least_speech_means_the_first_voiced_frame() -> None:
    gate = SpeechGate(0.5, min_speech=0, stop_silence=100)
    assert run(gate, [0.0, 0.5]) == [SpeechStarted(100, 200)]


def test_offsets_begin_at_the_start_offset() -> None:
    gate = SpeechGate(0.5, min_speech=100, stop_silence=100, start_offset=7_000)
    assert run(gate, [0, 0.9, 0]) == [SpeechStarted(7_100, 7_200), SpeechStopped(7_200, 7_300)]


def test_speech_that_goes_on_ends_with_the_audio() -> None:
    gate = SpeechGate(0.5, min_speech=100, stop_silence=300)
    run(gate, [0.9, 0.9])
    gate.push(0.9, 40)
    assert gate.finish() == SpeechStopped(240, 240)
    assert gate.finish() is None


def test_speech_that_was_fading_ends_where_it_faded() -> None:
    gate = SpeechGate(0.5, min_speech=100, stop_silence=300)
    run(gate, [0.9, 0.9, 0])
    assert gate.finish() == SpeechStopped(200, 300)


def test_speech_too_short_to_be_reported_does_not_end_either() -> None:
    gate = SpeechGate(0.5, min_speech=300, stop_silence=300)
    run(gate, [0.9, 0.9])
    assert gate.finish() is None


probabilities = st.lists(st.floats(0, 1), max_size=200)
thresholds = st.floats(0, 1)
lengths = st.integers(0, 1_000)


@given(probabilities, thresholds, lengths, st.integers(1, 1_000), st.integers(0, 1 << 40))
def test_events_alternate_and_never_go_back(
    frames: list[float], threshold: float, min_speech: int, stop_silence: int, start: int
) -> None:
    gate = SpeechGate(threshold, min_speech, stop_silence, start)
    events = run(gate, frames)
    last = gate.finish()
    if last is not None:
        events.append(last)
    assert [type(event) for event in events] == [SpeechStarted, SpeechStopped] * (len(events) // 2)
    offsets = [event.offset for event in events]
    decisions = [event.decided_offset for event in events]
    assert offsets == sorted(offsets)
    assert decisions == sorted(decisions)
    assert all(start <= event.offset <= event.decided_offset <= start + FRAME * len(frames) for event in events)


@given(probabilities, thresholds, lengths, st.integers(1, 1_000))
def test_speech_lasts_and_silence_lasts_as_long_as_asked(
    frames: list[float], threshold: float, min_speech: int, stop_silence: int
) -> None:
    events = run(SpeechGate(threshold, min_speech, stop_silence), frames)
    for event in events:
        needed = min_speech if isinstance(event, SpeechStarted) else stop_silence
        voiced = frames[event.offset // FRAME : event.decided_offset // FRAME]
        assert event.decided_offset - event.offset >= needed
        if isinstance(event, SpeechStarted):
            assert voiced[0] >= threshold
            assert all(p >= release_threshold(threshold) for p in voiced)
        else:
            assert voiced[0] < release_threshold(threshold)
            assert all(p < threshold for p in voiced)


@given(probabilities, thresholds, lengths, st.integers(1, 1_000), st.integers(1, 1 << 40))
def test_a_start_offset_only_shifts(
    frames: list[float], threshold: float, min_speech: int, stop_silence: int, shift: int
) -> None:
    plain = run(SpeechGate(threshold, min_speech, stop_silence), frames)
    shifted = run(SpeechGate(threshold, min_speech, stop_silence, shift), frames)
    assert shifted == [type(event)(event.offset + shift, event.decided_offset + shift) for event in plain]
