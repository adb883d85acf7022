"""Errors in the shape of OpenAI's HTTP API: `{"error": {message, type, param, code}}` and a status."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse

from chassis.errors import Code, StageError
from services.orchestrator.edge.validation import explain

# Seconds after which a client may try again: streams of a stage are short, a stage that restarts takes longer.
_RETRY_FULL_S = 1
_RETRY_DOWN_S = 5

_STATUS: Mapping[Code, int] = {
    Code.INVALID_ARGUMENT: 400,
    Code.OUT_OF_RANGE: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.CANCELLED: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
"""All other codes are 500."""


class ApiError(Exception):
    """A request that cannot be served: its HTTP `status`, and what the body says of it."""

    def __init__(self, status: int, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param

    @classmethod
    def invalid(cls, param: str | None, expected: str, *, code: str = "invalid_value") -> "ApiError":
        """400: `param` is not what was `expected`."""
        return cls(400, f"{param or 'body'}: expected {expected}", code=code, param=param)

    @classmethod
    def of_validation(cls, problem: ValidationError, data: object) -> "ApiError":
        """400 with what is wrong with `data`."""
        fault = explain(problem, data)
        return cls(400, fault.message, code=fault.code, param=fault.param)

    @classmethod
    def of_stage(cls, error: StageError, params: Mapping[str, str]) -> "ApiError":
        """What a stage refused; `params` are the API's names of the stage's fields."""
        status = 503 if error.reason == "NOT_ADMITTED" else _STATUS.get(error.code, 500)
        field = None if error.field is None else params.get(error.field, error.field)
        message = error.message
        if error.field is not None and field is not None:
            message = message.replace(f"{error.field}:", f"{field}:", 1)
        if error.stage is not None and status >= 429:
            message = f"{error.stage}: {message}"
        return cls(status, message, code=error.reason.lower(), param=field)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The answer, with Retry-After where trying again may help."""
        headers = {}
        if self.status in (429, 503):
            headers["Retry-After"] = str(_RETRY_FULL_S if self.status == 429 else _RETRY_DOWN_S)
        return JSONResponse(self.body, self.status, headers)
