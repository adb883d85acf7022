"""The fleet's error."""

from google.rpc import code_pb2

from chassis.errors import Code, StageError


def test_the_codes_are_those_of_google_rpc() -> None:
    assert {code.name: code.value for code in Code} | {"OK": 0} == dict(code_pb2.Code.items())


def test_an_invalid_field_is_named_with_what_was_expected() -> None:
    error = StageError.invalid("sample_rate_hz", "16000, got 8000")
    assert error.code is Code.INVALID_ARGUMENT
    assert (error.reason, error.field, error.stage) == ("INVALID_FIELD", "sample_rate_hz", None)
    assert str(error) == "sample_rate_hz: expected 16000, got 8000"


def test_a_limit_is_resource_exhausted() -> None:
    error = StageError.exhausted("QUEUE_FULL", "too many jobs")
    assert (error.code, error.reason, error.field) == (Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", None)


def test_the_first_error_of_nested_groups_is_found() -> None:
    first, second = StageError.exhausted("A", "a"), StageError.exhausted("B", "b")
    found = None
    try:
        raise ExceptionGroup("session", [ExceptionGroup("turn", [first]), second])
    except* StageError as group:
        found = StageError.first_of(group)
    assert found is first
