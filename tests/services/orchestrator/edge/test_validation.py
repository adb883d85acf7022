"""What a client is told of a message that does not fit."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.orchestrator.edge.plain.commands import MESSAGE
from services.orchestrator.edge.realtime.client_events import CLIENT_EVENT
from services.orchestrator.edge.validation import Fault, explain


def fault_of(message: Any) -> Fault:
    with pytest.raises(ValidationError) as caught:
        CLIENT_EVENT.validate_python(message)
    return explain(caught.value, message)


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def create(**item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item}


TEXT = {"type": "input_text", "text": "hello"}


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ([], None, "invalid_value"),
        (5, None, "invalid_value"),
        (None, None, "invalid_value"),
        ({"type": "bogus"}, "type", "invalid_value"),
        ({"type": 5}, "type", "invalid_value"),
        ({"type": "session.update"}, "session", "missing_required_parameter"),
        ({"type": "input_audio_buffer.commit", "extra": 1}, "extra", "unknown_parameter"),
        ({"type": "input_audio_buffer.append"}, "audio", "missing_required_parameter"),
        ({"type": "input_audio_buffer.append", "audio": 5}, "audio", "invalid_value"),
        ({}, "type", "missing_required_parameter"),
        ({"type": "input_audio_buffer.commit", "odd[name]": 1}, "odd[name]", "unknown_parameter"),
        (create(type="bogus"), "item.type", "invalid_value"),
        (update(max_output_tokens=0), "session.max_output_tokens", "invalid_value"),
        (update(tool_choice={"type": "function"}), "session.tool_choice.name", "missing_required_parameter"),
        (update(instructions=5), "session.instructions", "invalid_value"),
        (update(instruction="x"), "session.instruction", "unknown_parameter"),
        (update(temperature=3), "session.temperature", "invalid_value"),
        (update(output_modalities=["video"]), "session.output_modalities.0", "invalid_value"),
        (update(output_modalities=[]), "session.output_modalities", "invalid_value"),
        (update(tool_choice="some"), "session.tool_choice", "invalid_value"),
        (update(tools=[{"type": "function", "name": "a b"}]), "session.tools.0.name", "invalid_value"),
        (update(tools=[{"type": "function"}]), "session.tools.0.name", "missing_required_parameter"),
        (
            update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 3}}}),
            "session.audio.input.turn_detection.threshold",
            "invalid_value",
        ),
        (
            update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "very"}}}),
            "session.audio.input.turn_detection.eagerness",
            "invalid_value",
        ),
        (
            update(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
            "session.audio.input.format.rate",
            "invalid_value",
        ),
        (create(type="message", role="bot", content=[TEXT]), "item.role", "invalid_value"),
        (
            create(type="message", role="user", content=[{"type": "input_text"}]),
            "item.content.0.text",
            "missing_required_parameter",
        ),
        (create(type="function_call_output", output=""), "item.call_id", "missing_required_parameter"),
        ({"type": "conversation.item.truncate", "item_id": 5}, "item_id", "invalid_value"),
        ({"type": "response.create", "response": {"metadata": {"who": 5}}}, "response.metadata.who", "invalid_value"),
    ],
)  # fmt: skip
def test_the_field_that_is_wrong_is_named_by_its_path(message: Any, param: str | None, code: str) -> None:
    fault = fault_of(message)
    assert (fault.param, fault.code) == (param, code)
    assert fault.message.startswith(f"{param or 'message'}: ")


def test_what_was_expected_and_what_came_are_both_said() -> None:
    assert fault_of(update(temperature=3)) == Fault(
        "session.temperature",
        "invalid_value",
        "session.temperature: Input should be less than or equal to 2, got 3",
    )
    message = fault_of({"type": "bogus"}).message
    assert "'session.update'" in message
    assert "bogus" in message


def test_of_a_missing_field_nothing_came() -> None:
    assert fault_of({"type": "session.update"}).message == "session: Field required"


def test_only_the_first_fault_is_told() -> None:
    truncate = {"type": "conversation.item.truncate", "item_id": 5, "content_index": 1, "audio_end_ms": -1}
    assert fault_of(truncate).param == "item_id"


def test_a_long_value_is_told_in_part() -> None:
    message = fault_of(update(voice="v" * 100_000)).message
    assert len(message) < 200
    assert message.endswith("…")


def test_text_is_told_as_it_was_written() -> None:
    assert fault_of(update(temperature="heiß")).message.endswith('got "heiß"')


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ({"type": "shout"}, "type", "invalid_value"),
        ({"type": "configure", "silence_ms": -1}, "silence_ms", "invalid_value"),
        ({"type": "configure", "sample_rate": 8000}, "sample_rate", "invalid_value"),
        ({"type": "configure", "volume": 1}, "volume", "unknown_parameter"),
        ({"type": "text"}, "text", "missing_required_parameter"),
    ],
)
def test_the_plain_protocols_fields_are_named_too(message: Any, param: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MESSAGE.validate_python(message)
    fault = explain(caught.value, message)
    assert (fault.param, fault.code) == (param, code)
