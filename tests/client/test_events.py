import base64
import json

import pytest

from client.errors import ProtocolError
from client.event_reader import parse_event
from client.events import (
    AudioDelta,
    ErrorEvent,
    ItemRetrieved,
    PlayoutPaused,
    PlayoutResumed,
    ResponseDone,
    SpeechStarted,
    TurnMarks,
    UnknownEvent,
)


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields})


def test_audio_is_decoded() -> None:
    delta = base64.b64encode(b"\x01\x00\x02\x00").decode()
    message = event("response.output_audio.delta", response_id="r", item_id="i", delta=delta)
    assert parse_event(message) == AudioDelta("r", b"\x01\x00\x02\x00", "i")


def test_speech_started_has_its_place_on_the_timeline() -> None:
    message = event("input_audio_buffer.speech_started", item_id="i", audio_start_ms=320)
    assert parse_event(message) == SpeechStarted("i", 320)


def test_a_failed_response_tells_the_reason() -> None:
    details = {"type": "failed", "error": {"type": "server_error", "code": "llm_down", "message": "the llm is down"}}
    message = event("response.done", response={"id": "r", "status": "failed", "status_details": details})
    assert parse_event(message) == ResponseDone("r", "failed", "the llm is down", {})


def test_a_cancelled_response_tells_the_reason() -> None:
    details = {"type": "cancelled", "reason": "turn_detected"}
    message = event("response.done", response={"id": "r", "status": "cancelled", "status_details": details})
    assert parse_event(message) == ResponseDone("r", "cancelled", "turn_detected", {})


def test_an_error_names_code_field_and_culprit() -> None:
    error = {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": "no such voice",
        "param": "session.audio.output.voice",
        "event_id": "event_1",
    }
    assert parse_event(event("error", error=error)) == ErrorEvent(
        "invalid_request_error", "invalid_value", "no such voice", "session.audio.output.voice", "event_1"
    )


def test_a_mark_that_was_not_reached_is_left_out() -> None:
    message = event(
        "voxfleet.turn.marks",
        response_id="r",
        user_item_id="i",
        language="en",
        draft="kept",
        marks={"endpoint": 500.5, "first_token": None},
    )
    assert parse_event(message) == TurnMarks("r", "i", "en", "kept", {"endpoint": 500.5})


def test_an_event_of_another_type_is_kept_as_it_is() -> None:
    parsed = parse_event(event("rate_limits.updated", rate_limits=[]))
    assert parsed == UnknownEvent("rate_limits.updated", {"type": "rate_limits.updated", "rate_limits": []})


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (b"\0\0", "text message, got a binary one"),
        ("{", "expected JSON"),
        ("[]", "expected a JSON object with a string `type`"),
        ('{"type": 1}', "expected a JSON object with a string `type`"),
        (event("response.created", response="r"), "response.created.response: expected an object"),
        (event("response.created", response={}), "response.created.response.id: expected a string"),
        (
            event("input_audio_buffer.speech_started", item_id="i", audio_start_ms="0"),
            "audio_start_ms: expected a numb",
        ),
        (event("response.output_audio.delta", response_id="r", delta="!"), "delta: expected base64"),
        (event("response.output_audio.delta", response_id="r", delta="AQ=="), "delta: expected whole samples"),
        (event("voxfleet.turn.marks", response_id="r", marks={"endpoint": True}), "marks.endpoint: expected a number"),
    ],
)
def test_a_malformed_message_is_an_error_that_names_the_field(message: str | bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint.replace("[", r"\[")):
        parse_event(message)


def test_a_pause_names_the_reply_that_is_held() -> None:
    place = {"response_id": "r", "item_id": "i"}
    assert parse_event(event("voxfleet.playout.paused", **place)) == PlayoutPaused("r", "i")
    assert parse_event(event("voxfleet.playout.resumed", **place)) == PlayoutResumed("r", "i")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "output_audio", "transcript": "It is Paris."}], "It is Paris."),
        ([{"type": "output_text", "text": "It is"}, {"type": "output_text", "text": "Paris."}], "It is Paris."),
        ([{"type": "output_audio", "transcript": None}], ""),
        ([], ""),
    ],
)
def test_a_retrieved_item_holds_its_words_spoken_or_written(content: list[dict[str, object]], text: str) -> None:
    message = event("conversation.item.retrieved", item={"id": "i", "type": "message", "content": content})
    assert parse_event(message) == ItemRetrieved("i", text)


def test_a_retrieved_item_without_content_is_named() -> None:
    with pytest.raises(ProtocolError, match=r"item\.content: expected an array of objects"):
        parse_event(event("conversation.item.retrieved", item={"id": "i", "content": "text"}))
