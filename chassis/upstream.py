"""A model behind a server that speaks OpenAI's HTTP API: whether it is there, what it refuses and why."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from chassis.errors import Code, StageError
from chassis.http_client import HttpAnswer, HttpClient, HttpRefusedError
from chassis.upstream_settings import UpstreamSettings

log = logging.getLogger(__name__)

FAILURES_UNTIL_DOWN = 2
"""A server that is busy may miss one look."""
MAX_JSON_BYTES = 1 << 20
MAX_SAID = 300
"""Characters kept of what a server says of a refusal."""
_KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_REQUEST_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)


class UpstreamRefusalError(StageError):
    """The server refused a request. `said` is its message, `kind` its own name of the error; both may be empty.

    UPSTREAM_KEY_REFUSED, UPSTREAM_NOT_FOUND (the model or the address) and other statuses that only an operator can
    mend are FAILED_PRECONDITION; UPSTREAM_RATE_LIMITED is RESOURCE_EXHAUSTED; UPSTREAM_REFUSED, a request that the
    server cannot take, INVALID_ARGUMENT; UPSTREAM_FAILED, any 5xx, UNAVAILABLE.
    """

    def __init__(self, status: int, body: object) -> None:
        self.status = status
        self.said, self.kind = _complaint(body)
        code, reason, message = self._meaning(status)
        super().__init__(code, reason, f"{message}: {self.said}" if self.said else message)

    def _meaning(self, status: int) -> tuple[Code, str, str]:
        if status in _KEY_REFUSED:
            # Servers repeat parts of the key.
            self.said = ""
            return Code.FAILED_PRECONDITION, "UPSTREAM_KEY_REFUSED", "the upstream server refused the API key"
        if status == HTTPStatus.NOT_FOUND or self.kind == "model_not_found":
            message = "the upstream server does not know the model or the address"
            return Code.FAILED_PRECONDITION, "UPSTREAM_NOT_FOUND", message
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return Code.RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMITED", "the upstream server takes no more requests now"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Code.UNAVAILABLE, "UPSTREAM_FAILED", f"the upstream server failed with status {status}"
        code = Code.INVALID_ARGUMENT if status in _REQUEST_REFUSED else Code.FAILED_PRECONDITION
        return code, "UPSTREAM_REFUSED", f"the upstream server refused the request with status {status}"


def malformed(problem: str) -> StageError:
    """UPSTREAM_MALFORMED (INTERNAL): the server's answer is not what its API says; `problem` as "expected …, got …"."""
    return StageError(Code.INTERNAL, "UPSTREAM_MALFORMED", f"the upstream server's answer cannot be read: {problem}")


class Upstream:
    """The server that `settings` name. `start` before use, `close` at the end.

    Raises ValueError, which names the setting: `prefix` is what its environment variables begin with.
    """

    def __init__(self, settings: UpstreamSettings, prefix: str) -> None:
        if not settings.upstream_url:
            raise ValueError(f"{prefix}UPSTREAM_URL: expected the address of the server, got nothing")
        self._url = settings.upstream_url
        self._headers = settings.upstream_request_headers
        self._limits = settings.upstream_limits
        self._probe_s = settings.upstream_probe_s
        self._client: HttpClient | None = None

    @property
    def client(self) -> HttpClient:
        """The client. Raises StageError NOT_READY (UNAVAILABLE) before the start."""
        if self._client is None:
            raise StageError(Code.UNAVAILABLE, "NOT_READY", "the upstream server is not connected yet")
        return self._client

    async def start(self) -> tuple[str, ...]:
        """Waits until the server answers; gives the names of the models that it lists, none where it lists none.

        Raises UpstreamRefusalError where the server refuses the key.
        """
        self._client = await HttpClient.open(self._url, self._headers, self._limits)
        told = ""
        while True:
            try:
                return await self.look()
            except StageError as error:
                if error.reason == "UPSTREAM_KEY_REFUSED":
                    raise
                if error.reason != told:
                    log.warning("waiting for the upstream server", extra={"reason": error.reason, "url": self._url})
                told = error.reason
            await asyncio.sleep(self._probe_s)

    async def close(self) -> None:
        """Ends every connection; also where `start` failed or was cancelled."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def look(self) -> tuple[str, ...]:
        """The models that the server lists now. One that has no list answers too: any status below 500 will do.

        Raises StageError where it does not answer, or refuses the key.
        """
        try:
            answer = await self.get_json("/models", retries=0)
        except UpstreamRefusalError as refusal:
            if refusal.reason == "UPSTREAM_KEY_REFUSED" or refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return ()
        models = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(models, list):
            return ()
        return tuple(model["id"] for model in models if isinstance(model, Mapping) and isinstance(model.get("id"), str))

    async def readiness(self) -> AsyncGenerator[bool]:
        """False once the server has missed `FAILURES_UNTIL_DOWN` looks, True once it answers again; without end."""
        up, failures = True, 0
        while True:
            await asyncio.sleep(self._probe_s)
            try:
                await self.look()
                failures = 0
            except StageError as error:
                failures += 1
                reason = error.reason
            if up and failures >= FAILURES_UNTIL_DOWN:
                up = False
                log.warning("the upstream server is gone", extra={"reason": reason, "url": self._url})
                yield up
            elif not up and not failures:
                up = True
                log.info("the upstream server is back", extra={"url": self._url})
                yield up

    @asynccontextmanager
    async def stream(
        self, path: str, body: Mapping[str, Any] | None = None, *, retries: int | None = None
    ) -> AsyncIterator[HttpAnswer]:
        """The answer to a POST of `body`, or to a GET without one. Raises StageError as `HttpClient` and its answer
        do, and UpstreamRefusalError."""
        try:
            async with self.client.stream("GET" if body is None else "POST", path, body, retries=retries) as answer:
                yield answer
        except HttpRefusedError as refusal:
            raise UpstreamRefusalError(refusal.status, _json(refusal.body)) from refusal

    async def get_json(self, path: str, *, retries: int | None = None) -> Any:
        """The JSON at a path, whatever it is. Raises as `stream` does, and StageError UPSTREAM_MALFORMED."""
        body = bytearray()
        async with self.stream(path, retries=retries) as answer:
            async for piece in answer.pieces():
                body += piece
                if len(body) > MAX_JSON_BYTES:
                    raise malformed(f"expected at most {MAX_JSON_BYTES} bytes at {path}")
        found = _json(bytes(body))
        if found is None:
            raise malformed(f"expected JSON at {path}")
        return found


def _json(body: bytes) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _complaint(body: object) -> tuple[str, str]:
    """What a server says of an error and how it calls it, in any of the forms that are in use."""
    if not isinstance(body, Mapping):
        return "", ""
    error = body.get("error", body)
    if not isinstance(error, Mapping):
        return str(error)[:MAX_SAID], ""
    said = error.get("message") or error.get("detail") or ""
    kind = error.get("code") or error.get("type") or ""
    return str(said)[:MAX_SAID], str(kind)
