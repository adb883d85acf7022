from services.stt.pace import PartialPace


def test_a_lone_speaker_gets_the_pace_asked_for() -> None:
    pace = PartialPace()
    pace.speakers = 1
    pace.took(0.12)
    assert pace.interval_s(0.3) == 0.3


def test_nothing_is_known_before_the_first_partial() -> None:
    pace = PartialPace()
    pace.speakers = 50
    assert pace.interval_s(0.2) == 0.2


def test_all_streams_together_keep_to_their_share_of_a_thread() -> None:
    pace = PartialPace()
    pace.speakers = 4
    for _ in range(50):
        pace.took(0.12)
    interval_s = pace.interval_s(0.3)
    assert abs(pace.speakers * 0.12 / interval_s - 0.5) < 0.01


def test_partials_that_share_a_batch_share_its_cost() -> None:
    pace = PartialPace(together=32)
    pace.took(0.06)
    for speakers, interval_s in ((1, 0.2), (32, 0.2), (128, 0.48)):
        pace.speakers = speakers
        assert abs(pace.interval_s(0.2) - interval_s) < 1e-9


def test_the_pace_comes_back_when_the_load_is_gone() -> None:
    pace = PartialPace()
    pace.speakers = 1
    pace.took(3.0)
    assert pace.interval_s(0.3) > 3
    for _ in range(20):
        pace.took(0.1)
    assert pace.interval_s(0.3) == 0.3
