"""The edge: every path of the orchestrator's port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket

from services.orchestrator.clients import Stages
from services.orchestrator.edge import status
from services.orchestrator.edge.connection import Connections
from services.orchestrator.edge.plain import PlainProtocol
from services.orchestrator.edge.realtime.protocol import RealtimeProtocol
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application; its stages' channels live as long as its lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stages = Stages(settings)
        app.state.connections = Connections(stages, settings)
        app.state.voices = VoiceCatalogue(stages)
        yield
        app.state.connections.close()
        await stages.close()

    app = FastAPI(title="voxfleet", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(status.router)

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket, model: str = "voxfleet", extensions: str = "") -> None:
        connections: Connections = app.state.connections
        subprotocol = "realtime" if "realtime" in socket.scope["subprotocols"] else None
        await connections.serve(
            socket,
            lambda session: RealtimeProtocol(
                session, app.state.voices, model=model, extensions="voxfleet" in extensions.split(",")
            ),
            subprotocol,
        )

    @app.websocket("/realtime")
    async def plain(socket: WebSocket) -> None:
        connections: Connections = app.state.connections
        await connections.serve(socket, lambda session: PlainProtocol(session, app.state.voices))

    return app
