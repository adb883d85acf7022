"""`GET /v1/models`: a name for each stage that can be used alone. Requests may name any other: the fleet has one model
of a kind, and tells back the name that was asked for."""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.single.backend import Backend

MODELS = ("voxfleet", "voxfleet-stt", "voxfleet-tts")
"""Conversation and chat, transcription, speech."""
_STARTED = int(time.time())


def _model(name: str) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": "voxfleet"}


async def list_models(request: Request, backend: Backend) -> Response:
    """All of them."""
    return JSONResponse({"object": "list", "data": [_model(name) for name in MODELS]})


async def retrieve_model(request: Request, backend: Backend) -> Response:
    """One of them. ApiError 404 for another name."""
    name: str = request.path_params["model"]
    if name not in MODELS:
        message = f"model: expected one of {', '.join(MODELS)}, got {name!r}"
        raise ApiError(404, message, code="model_not_found", param="model")
    return JSONResponse(_model(name))
