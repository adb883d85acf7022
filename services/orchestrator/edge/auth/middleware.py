"""The guard in front of every path of the edge, HTTP and WebSocket."""

import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.metrics import AUTH_REFUSED
from services.orchestrator.edge.auth.access import Access, Attempt, Grant, Refusal
from services.orchestrator.edge.auth.credentials import SUBPROTOCOL, presented, without_keys
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime import updates
from services.orchestrator.edge.realtime.client_events import Audio
from services.orchestrator.session_config import SessionConfig
from services.orchestrator.settings import Settings


def protect(app: FastAPI, settings: Settings) -> None:
    """Puts the guard in front of `app`, and in front of the guard the answers that other pages' browsers ask for.

    The rules are `app.state.access`; what a request was granted is its `state.grant`.
    """
    app.state.access = Access.of(settings)
    app.add_middleware(Guard, access=app.state.access)
    if settings.allowed_origins:
        # In front, because a browser's preflight carries no key, and because it shows an error to its page only where
        # the error, too, names the page's origin.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=("Location", "Retry-After"),
        )


def starting_config(connection: HTTPConnection, settings: Settings) -> SessionConfig:
    """What a session begins with: the settings, and over them what the client secret that opened it says."""
    grant: Grant = connection.state.grant
    config = SessionConfig.of(settings)
    return config if grant.session is None else updates.updated(config, grant.session)


def starting_audio(connection: HTTPConnection) -> Audio | None:
    """What the client secret says of the connection itself, which a session's configuration does not hold: formats, and
    whether the person's words are sent."""
    grant: Grant = connection.state.grant
    return None if grant.session is None else grant.session.audio


@dataclass(frozen=True, slots=True)
class Guard:
    """ASGI middleware: refuses before anything is accepted, 401 without a good key, 403 from a page not allowed."""

    app: ASGIApp
    access: Access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = HTTPConnection(scope).headers
        offered = scope.get("subprotocols", ())
        attempt = Attempt(
            path=scope["path"],
            key=presented(headers.get("authorization"), offered),
            origin=headers.get("origin"),
            host=headers.get("host"),
        )
        match self.access.decide(attempt, time.time()):
            case Refusal() as refusal:
                AUTH_REFUSED.labels(refusal.code).inc()
                await _response(refusal)(scope, receive, send)
            case Grant() as grant:
                scope = _granted(scope, grant)
                await self.app(scope, receive, _selecting(send) if SUBPROTOCOL in offered else send)


def _granted(scope: Scope, grant: Grant) -> Scope:
    """The scope as the application sees it: with the grant, without keys among the subprotocols."""
    granted = dict(scope) | {"state": dict(scope.get("state", {})) | {"grant": grant}}
    if "subprotocols" in scope:
        granted["subprotocols"] = without_keys(scope["subprotocols"])
    if grant.session is not None and grant.session.model is not None:
        # Which model it is for is in the address, where a session without a secret has it.
        query: bytes = scope["query_string"]
        if b"model" not in parse_qs(query):
            named = urlencode({"model": grant.session.model}).encode("ascii")
            granted["query_string"] = query + b"&" + named if query else named
    return granted


def _selecting(send: Send) -> Send:
    """`send` that answers `realtime` to whom offered it: a browser takes a connection without an answer for failed."""

    async def selecting(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = dict(message) | {"subprotocol": SUBPROTOCOL}
        await send(message)

    return selecting


def _response(refusal: Refusal) -> JSONResponse:
    """OpenAI's error body; for 401 the challenge of RFC 6750."""
    headers = {}
    if refusal.status == 401:
        known = "" if refusal.code == "missing_api_key" else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="voxfleet"{known}'
    return JSONResponse(ApiError(refusal.status, refusal.message, code=refusal.code).body, refusal.status, headers)
