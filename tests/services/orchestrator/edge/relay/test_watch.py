"""What is seen of a session as its events pass, in both generations."""

import base64
from typing import Any

import pytest

from services.orchestrator.edge.relay.watch import Answered, Complained, Ended, Outcome, Watch, read

GA: dict[str, Any] = {
    "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24_000}, "turn_detection": {"type": "server_vad"}}}
}
BETA: dict[str, Any] = {"input_audio_format": "g711_ulaw", "turn_detection": {"type": "server_vad"}}
AUDIO = {"ga": "response.output_audio.delta", "beta": "response.audio.delta"}


def append(watch: Watch, samples: bytes, at: float) -> None:
    watch.sent("input_audio_buffer.append", {"audio": base64.b64encode(samples).decode()}, at)


@pytest.mark.parametrize(("generation", "session", "block"), [("ga", GA, bytes(4_800)), ("beta", BETA, bytes(800))])
def test_the_wait_for_an_answer_counts_from_the_end_of_the_speech(
    generation: str, session: dict[str, Any], block: bytes
) -> None:
    watch = Watch()
    watch.received("session.created", {"session": session}, 0)
    for number in range(10):  # 100 ms each, received at 1.0, 1.1, …
        append(watch, block, 1 + number / 10)
    watch.received("input_audio_buffer.speech_started", {"audio_start_ms": 100}, 1.5)
    watch.received("input_audio_buffer.speech_stopped", {"audio_end_ms": 600}, 2)
    (answered,) = watch.received(AUDIO[generation], {"delta": ""}, 2.25)
    assert isinstance(answered, Answered)
    assert answered.seconds == pytest.approx(0.75)
    assert watch.received(AUDIO[generation], {"delta": ""}, 2.5) == []
    assert watch.has_output


def test_without_turn_detection_the_newest_audio_is_the_last_speech() -> None:
    watch = Watch()
    watch.received("session.created", {"session": GA}, 0)
    watch.received("session.updated", {"session": {"audio": {"input": {"turn_detection": None}}}}, 0)
    assert not watch.detects_speech
    append(watch, bytes(4_800), 3)
    watch.received("input_audio_buffer.committed", {}, 3.1)
    assert watch.received(AUDIO["ga"], {}, 4) == [Answered(1.0)]


def test_speech_that_goes_on_is_not_answered_yet() -> None:
    watch = Watch()
    append(watch, bytes(4_800), 1)
    watch.received("input_audio_buffer.speech_stopped", {"audio_end_ms": 100}, 2)
    watch.received("input_audio_buffer.speech_started", {"audio_start_ms": 100}, 2)
    assert watch.received(AUDIO["ga"], {}, 3) == []


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        ({"status": "completed"}, Outcome.COMPLETED),
        ({"status": "cancelled", "status_details": {"reason": "turn_detected"}}, Outcome.INTERRUPTED),
        ({"status": "cancelled", "status_details": {"reason": "client_cancelled"}}, Outcome.CANCELLED),
        ({"status": "failed", "status_details": None}, Outcome.FAILED),
        ({"status": "incomplete"}, Outcome.INCOMPLETE),
    ],
)
def test_replies_end_in_known_ways(response: dict[str, Any], outcome: Outcome) -> None:
    assert Watch().received("response.done", {"response": response}, 0) == [Ended(outcome)]


def test_other_ways_to_end_and_strange_events_are_no_finding() -> None:
    watch = Watch()
    strange: list[tuple[str, dict[str, Any]]] = [
        ("response.done", {"response": {"status": "odd"}}),
        ("response.done", {"response": None}),
        ("response.created", {}),
        ("session.updated", {"session": 3}),
        ("session.updated", {"session": {"audio": {"input": [1]}}}),
        ("conversation.item.added", {"item": "x"}),
        ("input_audio_buffer.speech_stopped", {"audio_end_ms": "soon"}),
    ]
    for kind, event in strange:
        assert watch.received(kind, event, 0) == []
    watch.sent("input_audio_buffer.append", {"audio": 3}, 0)
    assert watch.received("error", {}, 0) == [Complained()]


def test_what_is_lost_with_an_upstream_is_told_in_the_protocols_words() -> None:
    watch = Watch()
    for item_id in ("item_1", "item_2"):
        watch.received("conversation.item.added", {"item": {"id": item_id}}, 0)
    watch.received("conversation.item.deleted", {"item_id": "item_1"}, 0)
    watch.received("response.created", {"response": {"id": "resp_1", "status": "in_progress", "x": 1}}, 0)
    done, deleted = watch.forgotten()
    assert done["type"] == "response.done"
    assert done["response"]["id"] == "resp_1"
    assert (done["response"]["status"], done["response"]["x"]) == ("failed", 1)
    assert deleted == {"type": "conversation.item.deleted", "item_id": "item_2"}


@pytest.mark.parametrize("frame", ["", "{", "[]", '{"type": 3}', "3", '{"a": 1}'])
def test_what_is_no_event_has_no_type(frame: str) -> None:
    assert read(frame) == ("", {})
