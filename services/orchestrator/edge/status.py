"""Liveness, readiness, metrics, and a page that says where to connect."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.orchestrator.clients import STAGES, Stages

router = APIRouter()

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>voxfleet</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 40rem; margin: 4rem auto; padding: 0 1rem }
  td { padding: .2rem 1rem .2rem 0; vertical-align: top }
</style>
<h1>voxfleet</h1>
<p>The fleet is up. Stages: <b>{stages}</b>.</p>
<table>
  <tr><td><code>/v1/realtime</code><td>OpenAI Realtime over WebSocket
  <tr><td><code>/realtime</code><td>binary PCM over WebSocket
  <tr><td><code>/readyz</code><td>readiness of the four stages
  <tr><td><code>/metrics</code><td>Prometheus
</table>
<p>From a terminal: <code>voxfleet talk</code></p>
"""


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """The process lives."""
    return "ok"


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 where all four stages can serve; else 503, with what is wrong with each."""
    states = await _states(request)
    ready = all(state == "ready" for state in states.values())
    return JSONResponse({"ready": ready, "stages": states}, 200 if ready else 503)


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus text format."""
    # Reads the process' own figures from files.
    return Response(await asyncio.to_thread(generate_latest), media_type=CONTENT_TYPE_LATEST)


@router.get("/", response_class=HTMLResponse)
async def index(request: Request) -> str:
    """Where to connect."""
    states = await _states(request)
    return _PAGE.replace("{stages}", ", ".join(f"{stage} {state}" for stage, state in states.items()))


async def _states(request: Request) -> dict[str, str]:
    stages: Stages = request.app.state.connections.stages
    not_ready = await stages.not_ready()
    return {stage: not_ready.get(stage, "ready") for stage in STAGES}
