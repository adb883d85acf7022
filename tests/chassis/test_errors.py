"""The fleet's error on the wire: what one side raises, the other side reads."""

from typing import cast

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import StageError


def sent(error: StageError) -> StageError:
    """The error as a caller of the stage `stt` reads it."""
    status = cast("grpc.Status", error.to_status())
    return StageError.from_status(status.code, status.details, status.trailing_metadata, "stt")


@given(
    code=st.sampled_from([code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]),
    reason=st.from_regex(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", fullmatch=True),
    message=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    field=st.none() | st.from_regex(r"[a-z_]+(\.[a-z_]+)?", fullmatch=True),
)
def test_an_error_arrives_as_it_was_raised(code: grpc.StatusCode, reason: str, message: str, field: str | None) -> None:
    read = sent(StageError(code, reason, message, field=field))
    assert (read.code, read.reason, read.message, read.field) == (code, reason, message, field)
    assert read.stage == "stt"


def test_an_invalid_field_is_named_with_what_was_expected() -> None:
    error = StageError.invalid("sample_rate_hz", "16000, got 8000")
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (error.reason, error.field, error.stage) == ("INVALID_FIELD", "sample_rate_hz", None)
    assert str(error) == "sample_rate_hz: expected 16000, got 8000"


def test_a_limit_is_resource_exhausted() -> None:
    error = StageError.exhausted("QUEUE_FULL", "too many jobs")
    assert (error.code, error.reason, error.field) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", None)


def test_an_error_of_the_transport_has_its_status_as_reason() -> None:
    error = StageError.from_status(grpc.StatusCode.UNAVAILABLE, "connection refused", (("x-other", "1"),), "llm")
    assert (error.code, error.reason, error.message) == (
        grpc.StatusCode.UNAVAILABLE,
        "UNAVAILABLE",
        "connection refused",
    )
    assert (error.field, error.stage) == (None, "llm")


@pytest.mark.parametrize("details", [None, ""])
def test_an_error_without_details_still_says_something(details: str | None) -> None:
    error = StageError.from_status(grpc.StatusCode.CANCELLED, details, None, "llm")
    assert error.message == "CANCELLED"


def test_a_write_that_met_the_end_of_the_stream_is_no_internal_error() -> None:
    error = StageError.from_status(grpc.StatusCode.INTERNAL, "Internal error from Core", None, "tts")
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_BROKEN")
    assert error.message == "tts ended the stream"


def test_the_first_error_of_nested_groups_is_found() -> None:
    first, second = StageError.exhausted("A", "a"), StageError.exhausted("B", "b")
    found = None
    try:
        raise ExceptionGroup("session", [ExceptionGroup("turn", [first]), second])
    except* StageError as group:
        found = StageError.first_of(group)
    assert found is first
