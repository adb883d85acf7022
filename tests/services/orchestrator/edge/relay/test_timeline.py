"""When which audio was received."""

from services.orchestrator.edge.relay.timeline import Timeline


def test_audio_is_found_by_its_offset() -> None:
    line = Timeline()
    for number in range(5):
        line.append(20, at=10 + number)
    assert line.received_at(0) == 10
    assert line.received_at(20) == 10
    assert line.received_at(21) == 11
    assert line.received_at(100) == 14
    assert line.received_at(1_000) == 14
    assert line.latest == 14


def test_without_audio_nothing_is_known() -> None:
    assert Timeline().received_at(0) is None
    assert Timeline().latest is None


def test_only_the_newest_audio_is_known() -> None:
    line = Timeline()
    for number in range(5_000):
        line.append(20, at=number)
    assert line.received_at(20) is None
    assert line.received_at(4_990 * 20) == 4_989
