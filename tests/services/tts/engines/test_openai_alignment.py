"""Text by proportion, word by word."""

import pytest

from services.tts.engines.openai_alignment import FIRST_PACE_S, Pace, TextClock


def test_words_are_reached_one_after_the_other_and_the_last_only_at_its_end() -> None:
    text = "It is noon, and warm."
    clock = TextClock(text, Pace(1.0))
    reached = [clock.reached(at * 0.01) for at in range(1000)]
    assert list(dict.fromkeys(reached)) == [0, 3, 6, 12, 16]
    assert reached == sorted(reached)


def test_chinese_is_reached_character_by_character_with_its_marks() -> None:
    clock = TextClock("你好，世界。", Pace(1.0))
    assert list(dict.fromkeys(clock.reached(at * 0.01) for at in range(1000))) == [0, 1, 3, 4]


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_a_faster_voice_is_further(speed: float) -> None:
    clock, plain = TextClock("one two three four five", Pace(speed)), TextClock("one two three four five", Pace(1.0))
    assert clock.reached(0.6) == plain.reached(0.6 * speed)


def test_the_pace_is_learnt_from_what_was_spoken() -> None:
    pace = Pace(1.0)
    clock = TextClock("one two three four", pace)
    for _ in range(20):
        pace.learn(clock, clock.weight * 0.03)
    assert abs(pace.seconds - 0.03) < 1e-3 < abs(FIRST_PACE_S - 0.03)
    pace.learn(TextClock("", pace), 5.0)
    assert abs(pace.seconds - 0.03) < 1e-3
