"""The console: its page at `/`, its files below `/console/`, and what the page asks of the fleet before it talks."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from chassis.metrics import SESSIONS_ACTIVE
from services.orchestrator import noise_reduction
from services.orchestrator.clients import STAGES
from services.orchestrator.edge.connection import Connections
from services.orchestrator.edge.console.files import StaticFile, read_files
from services.orchestrator.edge.voices import VoiceCatalogue

router = APIRouter()

# Read at import, because nothing may wait for a disk once the loop runs.
FILES = read_files(__package__)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy: nothing but the server's own files, and nothing written into the page."""
_HEADERS = {
    # Always asked for again, and then mostly answered with 304: an upgrade of the server is an upgrade of the page.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The console."""
    return _answer(request, FILES["index.html"])


@router.get("/console/fleet")
async def fleet(request: Request) -> JSONResponse:
    """What a page has to know before it opens a session; tells nothing of any session.

    `stages`: each "ready" or what is wrong; `sessions`: `open` and `limit`; `key_needed`; `noise_reduction`: whether it
    can be had; `voices`: names, empty while the stage cannot be asked.
    """
    connections: Connections = request.app.state.connections
    catalogue: VoiceCatalogue = request.app.state.voices
    not_ready = await connections.stages.not_ready()
    told: dict[str, Any] = {
        "stages": {stage: not_ready.get(stage, "ready") for stage in STAGES},
        "sessions": {"open": _open_sessions(), "limit": connections.settings.max_sessions},
        "key_needed": connections.settings.needs_key,
        "noise_reduction": noise_reduction.available(),
        "voices": await catalogue.names() if "tts" not in not_ready else [],
    }
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


@router.api_route("/console/{path:path}", methods=["GET", "HEAD"])
async def file(request: Request, path: str) -> Response:
    """One of the console's files; 404 for any other path."""
    found = FILES.get(path)
    if found is None:
        return Response("no such file", 404, {"X-Content-Type-Options": "nosniff"}, "text/plain; charset=utf-8")
    return _answer(request, found)


def _answer(request: Request, found: StaticFile) -> Response:
    headers = _HEADERS | {"ETag": found.etag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if found.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=found.media_type)


def _open_sessions() -> int:
    return int(sum(sample.value for metric in SESSIONS_ACTIVE.collect() for sample in metric.samples))
