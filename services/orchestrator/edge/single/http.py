"""HTTP around one stage: bounded bodies, answers that stream, and work that stops when the client leaves."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chassis.errors import StageError
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.single.backend import Backend, Places
from services.orchestrator.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)

# A stage takes messages of at most 1 MiB; JSON is never shorter than the message that is made of it.
_MAX_JSON_BYTES = 1_000_000
_MAX_FORM_FIELDS = 32
_MAX_FORM_FIELD_BYTES = 64 << 10
# A form beside the file that is in it.
_FORM_BYTES = 64 << 10

Handler = Callable[[Request, Backend], Awaitable[Response]]


class Endpoint:
    """One path, as an ASGI application: holds a place while it is served, and answers errors in OpenAI's shape.

    `params` are the API's names of the fields of the stage's messages, for its errors.
    """

    def __init__(self, handle: Handler, places: Places, params: Mapping[str, str]) -> None:
        self._handle = handle
        self._places = places
        self._params = params

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; work stops where the client leaves."""
        request = Request(scope, receive)
        state = request.app.state
        backend = Backend(state.connections.stages, state.voices, state.connections.settings)
        try:
            with self._places.taken():
                response = await self._answer(request, backend)
                await response(scope, receive, send)
        except StageError as error:
            await ApiError.of_stage(error, self._params).response()(scope, receive, send)
        except ClientDisconnect:
            log.debug("client left", extra={"path": request.url.path})

    async def _answer(self, request: Request, backend: Backend) -> Response:
        try:
            return await self._handle(request, backend)
        except ApiError as error:
            return error.response()
        except StageError as error:
            return ApiError.of_stage(error, self._params).response()


class Streamed(Response):
    """An answer in pieces: `first`, which proves that the stage has accepted the request, then the `rest`.

    `rest` is closed when the answer ends or the client leaves, whichever comes first. A client that takes nothing for
    `stall_s` seconds has left.
    """

    def __init__(
        self,
        first: bytes,
        rest: AsyncGenerator[bytes],
        media_type: str,
        stall_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self._first = first
        self._rest = rest
        self._stall_s = stall_s
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the pieces as they come; the client's pace is the source's.

        Where the stage fails half-way the body stays without its end, which is how HTTP tells it.
        """
        try:
            async with aclosing(self._rest):
                await while_connected(receive, self._send(send))
        except StageError as error:
            log.warning("stage lost", extra={"stage_lost": error.stage, "reason": error.reason})
        except TimeoutError as stalled:
            raise ClientDisconnect from stalled

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._first:
            await self._send_piece(send, self._first)
        async for piece in self._rest:
            await self._send_piece(send, piece)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_piece(self, send: Send, piece: bytes) -> None:
        async with asyncio.timeout(self._stall_s):
            await send({"type": "http.response.body", "body": piece, "more_body": True})


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. ClientDisconnect where the client leaves first; the work is cancelled then.

    Only after the request's body has been read.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait((working, leaving))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(request: Request, max_bytes: int, settings: Settings) -> bytes:
    """The body, at most `max_bytes` of it. Raises ApiError: 408, 413."""
    body = bytearray()
    async for piece in _bounded(request, max_bytes, settings):
        body += piece
    return bytes(body)


async def read_json(request: Request, model: type[ModelT], settings: Settings) -> ModelT:
    """The body as `model`. Raises ApiError: 400 with the field at fault, 408, 413."""
    body = await read_body(request, min(settings.max_upload_bytes, _MAX_JSON_BYTES), settings)
    try:
        data = from_json(body)
    except ValueError as problem:
        raise ApiError.invalid(None, f"one JSON object: {problem}", code="invalid_json") from None
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        raise ApiError.of_validation(problem, data) from None


async def read_form(
    request: Request, model: type[ModelT], file_field: str, settings: Settings
) -> tuple[ModelT, bytes | None]:
    """The fields of a multipart body as `model`, and the one file it may hold. Fields named `…[]` are lists.

    Raises ApiError: 400 with the field at fault, 408, 413.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError.invalid(None, "a multipart/form-data body", code="invalid_content_type")
    parser = MultiPartParser(
        request.headers,
        _bounded(request, settings.max_upload_bytes + _FORM_BYTES, settings),
        max_files=1,
        max_fields=_MAX_FORM_FIELDS,
        max_part_size=_MAX_FORM_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as problem:
        raise ApiError.invalid(None, f"a multipart/form-data body: {problem.message}", code="invalid_form") from None
    fields: dict[str, Any] = {}
    upload: bytes | None = None
    try:
        for name, value in form.multi_items():
            if not isinstance(value, str):
                if name != file_field:
                    raise ApiError.invalid(name, f"no file but {file_field!r}", code="unknown_parameter")
                upload = await value.read()
            elif name.endswith("[]"):
                fields.setdefault(name.removesuffix("[]"), []).append(value)
            else:
                fields[name] = value
    finally:
        await form.close()
    if file_field in fields:
        raise ApiError.invalid(file_field, "a file with a filename, got a text field")
    try:
        return model.model_validate(fields), upload
    except ValidationError as problem:
        raise ApiError.of_validation(problem, fields) from None


async def _bounded(request: Request, max_bytes: int, settings: Settings) -> AsyncGenerator[bytes]:
    """The body's pieces. ApiError 413 where there are more than `max_bytes`, what is announced as more is not read; 408
    where the client sends nothing for the idle limit."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes, int(announced))
    size = 0
    pieces = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(settings.session_idle_timeout_s):
                piece = await anext(pieces, None)
        except TimeoutError:
            limit = f"{settings.session_idle_timeout_s:g} s"
            raise ApiError(408, f"body: expected more of it within {limit}", code="request_timeout") from None
        if piece is None:
            return
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes, size)
        yield piece


def _too_large(max_bytes: int, size: int) -> ApiError:
    message = f"body: expected at most {max_bytes} bytes, got {size} or more"
    return ApiError(413, message, code="request_too_large")
