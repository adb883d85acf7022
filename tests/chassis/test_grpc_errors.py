"""The fleet's error on the wire: what one side raises, the other side reads."""

from typing import cast

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Code, StageError
from chassis.grpc_errors import from_status, to_status

DETAILS = "grpc-status-details-bin"


def sent(error: StageError) -> StageError:
    """The error as a caller of the stage `stt` reads it."""
    status = cast("grpc.Status", to_status(error))
    return from_status(status.code, status.details, status.trailing_metadata, "stt")


def detailed(*details: any_pb2.Any) -> StageError:
    """What is read of a status with those details."""
    status = status_pb2.Status(code=14, message="gone", details=details)
    return from_status(grpc.StatusCode.UNAVAILABLE, "gone", ((DETAILS, status.SerializeToString()),), "llm")


@given(
    code=st.sampled_from(Code),
    reason=st.from_regex(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", fullmatch=True),
    message=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    field=st.none() | st.from_regex(r"[a-z_]+(\.[a-z_]+)?", fullmatch=True),
)
def test_an_error_arrives_as_it_was_raised(code: Code, reason: str, message: str, field: str | None) -> None:
    read = sent(StageError(code, reason, message, field=field))
    assert (read.code, read.reason, read.message, read.field) == (code, reason, message, field)
    assert read.stage == "stt"


@pytest.mark.parametrize("status", [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK])
def test_every_status_of_grpc_has_its_code(status: grpc.StatusCode) -> None:
    error = from_status(status, "why", None, "tts")
    assert (error.code.name, int(error.code)) == (status.name, status.value[0])


def test_an_error_of_the_transport_has_its_status_as_reason() -> None:
    error = from_status(grpc.StatusCode.UNAVAILABLE, "connection refused", (("x-other", "1"),), "llm")
    assert (error.code, error.reason, error.message) == (Code.UNAVAILABLE, "UNAVAILABLE", "connection refused")
    assert (error.field, error.stage) == (None, "llm")


@pytest.mark.parametrize("details", [None, ""])
def test_an_error_without_details_still_says_something(details: str | None) -> None:
    assert from_status(grpc.StatusCode.CANCELLED, details, None, "llm").message == "CANCELLED"


@pytest.mark.parametrize(
    ("status", "details"),
    [(grpc.StatusCode.INTERNAL, "Internal error from Core"), (grpc.StatusCode.OK, ""), (grpc.StatusCode.OK, None)],
)
def test_a_stream_that_ended_before_it_was_done_is_unavailable(status: grpc.StatusCode, details: str | None) -> None:
    error = from_status(status, details, None, "tts")
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "STREAM_BROKEN")
    assert error.message == "tts ended the stream"


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"\x0a", b"not a status at all"])
def test_details_that_cannot_be_read_are_no_details(garbage: bytes) -> None:
    error = from_status(grpc.StatusCode.UNAVAILABLE, "gone", ((DETAILS, garbage),), "llm")
    assert (error.code, error.reason, error.message, error.field) == (Code.UNAVAILABLE, "UNAVAILABLE", "gone", None)


def test_an_error_info_that_cannot_be_read_is_none() -> None:
    broken = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\x0a\x05abc")
    assert (detailed(broken).reason, detailed(broken).field) == ("UNAVAILABLE", None)


def test_details_of_another_kind_are_passed_over() -> None:
    other, info = any_pb2.Any(), any_pb2.Any()
    other.Pack(error_details_pb2.DebugInfo(detail="a stack"))
    info.Pack(error_details_pb2.ErrorInfo(reason="NOT_READY", metadata={"field": "text"}))
    assert (detailed(other).reason, detailed(other).field) == ("UNAVAILABLE", None)
    assert (detailed(other, info).reason, detailed(other, info).field) == ("NOT_READY", "text")
