"""The fleet's one error: what a stage raises and its caller catches. `chassis.grpc_errors` says how gRPC carries it."""

from enum import IntEnum
from typing import Self


class Code(IntEnum):
    """What kind of error it is: names, numbers and meanings of google.rpc.Code."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class StageError(Exception):
    """A request that a stage cannot serve.

    `code` is the kind, `reason` an UPPER_SNAKE_CASE constant that programs match on, `message` a sentence for people,
    `field` the request field at fault (None where no single field is), `stage` the stage that raised it as the caller
    sees it (None on the server itself).
    """

    def __init__(
        self,
        code: Code,
        reason: str,
        message: str,
        *,
        field: str | None = None,
        stage: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field
        self.stage = stage

    @classmethod
    def invalid(cls, field: str, expected: str, *, reason: str = "INVALID_FIELD") -> Self:
        """INVALID_ARGUMENT: `field` is not what was `expected` (a phrase such as "16000, got 8000")."""
        return cls(Code.INVALID_ARGUMENT, reason, f"{field}: expected {expected}", field=field)

    @classmethod
    def exhausted(cls, reason: str, message: str) -> Self:
        """RESOURCE_EXHAUSTED: a limit is reached; the same request may succeed later."""
        return cls(Code.RESOURCE_EXHAUSTED, reason, message)

    @classmethod
    def first_of(cls, group: BaseExceptionGroup["StageError"]) -> "StageError":
        """The first error of a group of them, as `except*` hands it over."""
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        assert isinstance(error, StageError)
        return error
