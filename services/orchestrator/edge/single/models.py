"""`GET /v1/models`: a name for each stage that can be used alone, and the models that are relayed. Requests may name
any other: the fleet has one model of a kind, and tells back the name that was asked for."""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.single.backend import Backend

MODELS = ("voxfleet", "voxfleet-stt", "voxfleet-tts")
"""Conversation and chat, transcription, speech."""
_STARTED = int(time.time())


def _model(name: str, owner: str = "voxfleet") -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": owner}


def _models(backend: Backend) -> dict[str, dict[str, str | int]]:
    """The fleet's own, and those that other Realtime servers answer for."""
    relayed = {upstream.name: _model(upstream.name, "relay") for upstream in backend.settings.upstreams}
    return {name: _model(name) for name in MODELS} | relayed


async def list_models(request: Request, backend: Backend) -> Response:
    """All of them."""
    return JSONResponse({"object": "list", "data": list(_models(backend).values())})


async def retrieve_model(request: Request, backend: Backend) -> Response:
    """One of them. ApiError 404 for another name."""
    name: str = request.path_params["model"]
    models = _models(backend)
    if name not in models:
        message = f"model: expected one of {', '.join(models)}, got {name!r}"
        raise ApiError(404, message, code="model_not_found", param="model")
    return JSONResponse(models[name])
