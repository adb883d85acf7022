"""Events that a scripted conversation does not bring about when a test wants them."""

import json

from chassis.errors import Code, StageError
from services.orchestrator import events
from services.orchestrator.conversation import Item, Role
from services.orchestrator.edge.plain.intake import Ack, Dropped, DropReason, Gap
from services.orchestrator.edge.plain.messages import of_event, of_report


def test_a_turn_whose_transcription_failed_is_told_with_the_reason() -> None:
    item = Item("item_1", role=Role.USER, text="", spoken=True, language="")
    failure = StageError(Code.UNAVAILABLE, "DOWN", "gone for good", stage="stt")
    error, transcript = (json.loads(frame) for frame in of_event(events.UserTurn(item, None, 1.0, failure)))
    assert transcript == {"type": "transcript", "item_id": "item_1", "text": "", "language": ""}
    assert error == {"type": "error", "code": "down", "message": "gone for good", "field": None, "stage": "stt"}


def test_what_only_other_protocols_tell_is_not_told() -> None:
    assert of_event(events.IdleTimeout("item_1", 0, 5)) == []


def test_reports_are_in_milliseconds_but_for_what_must_be_exact() -> None:
    reports = (Ack(7, 321), Dropped(DropReason.OVERLAP, 321), Gap(320, 16_001))
    assert [json.loads(of_report(report, 500)) for report in reports] == [
        {"type": "ack", "sequence": 7, "position": 321, "window_ms": 500},
        {"type": "audio_dropped", "reason": "overlap", "ms": 20.1},
        {"type": "audio_gap", "silence_ms": 20.0, "skipped_ms": 1000.1},
    ]
