"""What is kept of a client's events, and what gives way."""

from services.orchestrator.edge.relay.replay import APPEND, ReplayLog


def frames(log: ReplayLog, after: int = 0) -> list[str]:
    return [entry.frame for entry in log.after(after)]


def test_events_are_kept_in_order_and_can_be_taken_up_anywhere() -> None:
    log = ReplayLog(100)
    numbers = [log.add("session.update", frame, at=0, silence=True) for frame in ("one", "two", "three")]
    assert frames(log) == ["one", "two", "three"]
    assert frames(log, numbers[0]) == ["two", "three"]
    assert frames(log, numbers[-1]) == []


def test_silence_gives_way_and_what_was_configured_stays() -> None:
    log = ReplayLog(120)
    log.add("session.update", "config", at=0, silence=True)
    for number in range(10):
        log.add(APPEND, f"audio {number}...", at=number, silence=True)
    assert frames(log) == ["config", "audio 8...", "audio 9..."]
    assert [entry.at for entry in log.after(0)] == [0, 8, 9]
    for _ in range(9):
        log.add(APPEND, "speech ...", at=11, silence=False)
    assert log.complete


def test_speech_does_not_give_way_the_log_ends() -> None:
    log = ReplayLog(30)
    for number in range(3):
        log.add(APPEND, f"audio {number}...", at=0, silence=False)
        assert log.complete
    log.add(APPEND, "audio 3...", at=0, silence=False)
    assert not log.complete
    assert frames(log) == []
    log.add("session.update", "x", at=0, silence=True)
    assert frames(log) == []


def test_events_without_audio_that_are_too_many_end_the_log_too() -> None:
    log = ReplayLog(10)
    log.add("conversation.item.create", "much too long", at=0, silence=True)
    assert not log.complete


def test_questions_are_not_repeated() -> None:
    log = ReplayLog(100)
    log.add("conversation.item.retrieve", "x", at=0, silence=True)
    assert frames(log) == []


def test_a_log_of_no_size_keeps_nothing() -> None:
    log = ReplayLog(0)
    log.add(APPEND, "x", at=0, silence=True)
    assert not log.complete
