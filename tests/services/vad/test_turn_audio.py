"""Which audio the end-of-turn engine hears. A sample's value is its offset, so what is read says where it is from."""

import numpy as np

from services.vad.gate import SpeechStarted, SpeechStopped
from services.vad.turn_audio import LEAD, TurnAudio

SECOND = 16_000


def ramp(start: int, end: int) -> bytes:
    return (np.arange(start, end) % 30_000).astype("<i2").tobytes()


def heard(turn: TurnAudio) -> tuple[int, int]:
    """First value and number of samples."""
    samples = np.frombuffer(turn.read(), "<i2")
    return int(samples[0]), len(samples)


def test_the_turn_begins_shortly_before_its_first_speech() -> None:
    turn = TurnAudio(8 * SECOND, turn_gap=3 * SECOND)
    turn.write(ramp(0, 20_000))
    turn.note(SpeechStarted(12_000, 13_000))
    assert heard(turn) == (12_000 - LEAD, 8_000 + LEAD)


def test_speech_after_a_short_pause_belongs_to_the_same_turn() -> None:
    turn = TurnAudio(8 * SECOND, turn_gap=SECOND)
    turn.write(ramp(0, 29_000))
    turn.note(SpeechStarted(6_000, 6_500))
    turn.note(SpeechStopped(10_000, 13_000))
    turn.note(SpeechStarted(26_000, 26_500))
    assert heard(turn) == (6_000 - LEAD, 29_000 - 6_000 + LEAD)


def test_speech_after_a_long_silence_begins_a_new_turn() -> None:
    turn = TurnAudio(8 * SECOND, turn_gap=SECOND)
    turn.write(ramp(0, 29_000))
    turn.note(SpeechStarted(6_000, 6_500))
    turn.note(SpeechStopped(10_000, 13_000))
    turn.note(SpeechStarted(26_001, 26_500))
    assert heard(turn) == (26_001 - LEAD, 29_000 - 26_001 + LEAD)


def test_a_long_turn_keeps_its_end() -> None:
    turn = TurnAudio(SECOND, turn_gap=SECOND)
    turn.write(ramp(0, 29_000))
    turn.note(SpeechStarted(6_000, 6_500))
    assert heard(turn) == (29_000 - SECOND, SECOND)


def test_a_turn_at_the_very_beginning_has_no_lead_to_hear() -> None:
    turn = TurnAudio(8 * SECOND, turn_gap=SECOND, start_offset=500)
    turn.write(ramp(500, 2_500))
    turn.note(SpeechStarted(500, 1_500))
    assert heard(turn) == (500, 2_000)
