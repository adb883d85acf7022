"""Liveness, readiness, metrics."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.orchestrator.clients import STAGES, Stages

router = APIRouter()


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """The process lives."""
    return "ok"


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 where all four stages can serve; else 503, with what is wrong with each."""
    stages: Stages = request.app.state.connections.stages
    not_ready = await stages.not_ready()
    states = {stage: not_ready.get(stage, "ready") for stage in STAGES}
    ready = all(state == "ready" for state in states.values())
    return JSONResponse({"ready": ready, "stages": states}, 200 if ready else 503)


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus text format."""
    # Reads the process' own figures from files.
    return Response(await asyncio.to_thread(generate_latest), media_type=CONTENT_TYPE_LATEST)
