"""`POST /v1/realtime/client_secrets`: a short-lived key for a browser, and the session that it opens."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from services.orchestrator.edge.auth.access import Access
from services.orchestrator.edge.auth.client_secrets import MAX_SESSION_BYTES, OversizedSessionError
from services.orchestrator.edge.auth.secret_requests import (
    SecretRequest,
    beta_view,
    parse,
    parse_beta,
)
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime import updates, views
from services.orchestrator.edge.single.http import read_body
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.ids import new_id
from services.orchestrator.session_config import SessionConfig
from services.orchestrator.settings import Settings

log = logging.getLogger(__name__)

router = APIRouter()

MAX_BODY_BYTES = MAX_SESSION_BYTES + 4_096


@dataclass(frozen=True, slots=True)
class _Issued:
    secret: dict[str, Any]
    session: dict[str, Any]


@router.post("/v1/realtime/client_secrets")
async def create_client_secret(request: Request) -> JSONResponse:
    """Issues a secret. Whoever holds it may open sessions with this configuration until it expires.

    Answers `{"value", "expires_at", "session"}`; 400, 408 or 413 with OpenAI's error body where the request is wrong.
    """
    return await _answer(request, parse, lambda issued: issued.secret | {"session": issued.session})


@router.post("/v1/realtime/sessions")
async def create_beta_session(request: Request) -> JSONResponse:
    """The same as the beta had it: the session, flat, with `"client_secret": {"value", "expires_at"}`."""
    return await _answer(
        request, parse_beta, lambda issued: beta_view(issued.session) | {"client_secret": issued.secret}
    )


async def _answer(
    request: Request, read: Callable[[bytes], SecretRequest], tell: Callable[[_Issued], dict[str, Any]]
) -> JSONResponse:
    settings: Settings = request.app.state.connections.settings
    try:
        body = await read_body(request, MAX_BODY_BYTES, settings)
        return JSONResponse(tell(await _issue(request, read(body))))
    except ApiError as problem:
        return problem.response()


async def _issue(request: Request, wish: SecretRequest) -> _Issued:
    settings: Settings = request.app.state.connections.settings
    access: Access = request.app.state.access
    config = updates.updated(SessionConfig.of(settings), wish.session)
    await _check_voice(request.app.state.voices, config.voice)
    expires_at = int(time.time()) + wish.lifetime_s(settings.client_secret_max_ttl_s)
    try:
        carried = wish.session.model_dump_json(exclude_unset=True).encode()
        value = access.client_secrets.issue(carried, expires_at)
    except OversizedSessionError as problem:
        raise ApiError.invalid("session", str(problem)) from problem
    if not settings.shares_secrets:
        _warn_of_the_key()
    session = views.session(
        new_id("sess"),
        config,
        model=wish.session.model or "voxfleet",
        transcribe=wish.transcribes,
        expires_at=expires_at,
        input_format=wish.input_format,
        output_format=wish.output_format,
    )
    return _Issued({"value": value, "expires_at": expires_at}, session)


@cache
def _warn_of_the_key() -> None:
    """Once a process, because that is how long the key lasts."""
    log.warning(
        "client secrets are signed with a key of this process only: other replicas and the next start will refuse "
        "them; VOXFLEET_ORCHESTRATOR_SECRET_KEY sets one to share"
    )


async def _check_voice(voices: VoiceCatalogue, name: str) -> None:
    if expected := await voices.expected_instead(name):
        raise ApiError.invalid("session.audio.output.voice", expected)
