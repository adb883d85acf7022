"""What a request for a call may hold: the offer alone, or a form of the offer and the session that it opens.

Source: OpenAI's `POST /v1/realtime/calls`, and the body that `@openai/agents-realtime` sends.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.webrtc.offers import MAX_SDP_BYTES

_MAX_SESSION_BYTES = 256 << 10
_MAX_BODY_BYTES = MAX_SDP_BYTES + _MAX_SESSION_BYTES + 4_096
# For a body that fits into a few datagrams.
_BODY_TIMEOUT_S = 30.0
_EXPECTED = "application/sdp, or multipart/form-data with the fields sdp and session"


@dataclass(frozen=True, slots=True)
class CallRequest:
    """An SDP offer, and what the session begins with as `session.update` has it; None: nothing."""

    sdp: str
    session: dict[str, Any] | None = None


async def read_call(request: Request) -> CallRequest:
    """The request's body. Raises ApiError: 400 with the field at fault, 408, 413."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/sdp", "multipart/form-data"):
        raise ApiError.invalid("content-type", f"{_EXPECTED}, got {kind or 'none'}", code="invalid_content_type")
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            body = await _body(request)
    except TimeoutError:
        message = f"body: expected all of it within {_BODY_TIMEOUT_S:g} s"
        raise ApiError(408, message, code="request_timeout") from None
    if kind == "application/sdp":
        return CallRequest(_sdp(body))
    return await _form(request, body)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            message = f"body: expected at most {_MAX_BODY_BYTES} bytes"
            raise ApiError(413, message, code="request_too_large")
    return bytes(body)


async def _form(request: Request, body: bytes) -> CallRequest:
    async def pieces() -> Any:
        yield body

    parser = MultiPartParser(request.headers, pieces(), max_files=2, max_fields=8, max_part_size=_MAX_SESSION_BYTES)
    try:
        form = await parser.parse()
    except MultiPartException as problem:
        raise ApiError.invalid(None, f"a multipart/form-data body: {problem.message}", code="invalid_form") from None
    fields: dict[str, bytes] = {}
    try:
        for name, value in form.multi_items():
            if name not in ("sdp", "session"):
                raise ApiError.invalid(name, "no field but sdp and session", code="unknown_parameter")
            fields[name] = value.encode() if isinstance(value, str) else await value.read()
    finally:
        await form.close()
    if "sdp" not in fields:
        raise ApiError.invalid("sdp", "the offer", code="missing_required_parameter")
    return CallRequest(_sdp(fields["sdp"]), _session(fields["session"]) if "session" in fields else None)


def _sdp(body: bytes) -> str:
    if len(body) > MAX_SDP_BYTES:
        raise ApiError(413, f"sdp: expected at most {MAX_SDP_BYTES} bytes", code="request_too_large", param="sdp")
    try:
        return body.decode()
    except UnicodeDecodeError as problem:
        raise ApiError.invalid("sdp", f"UTF-8: {problem}") from None


def _session(body: bytes) -> dict[str, Any]:
    try:
        data = from_json(body)
    except ValueError as problem:
        raise ApiError.invalid("session", f"one JSON object: {problem}", code="invalid_json") from None
    if not isinstance(data, dict):
        raise ApiError.invalid("session", f"one JSON object, got {type(data).__name__}", code="invalid_json")
    return data
