"""The edge: every path of the orchestrator's port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket

from services.orchestrator.clients import Stages
from services.orchestrator.edge import status
from services.orchestrator.edge.auth import routes as auth
from services.orchestrator.edge.auth.middleware import protect, starting_audio
from services.orchestrator.edge.connection import Connections
from services.orchestrator.edge.console import routes as console
from services.orchestrator.edge.plain.endpoint import serve_plain
from services.orchestrator.edge.realtime.beta import Beta, is_wanted
from services.orchestrator.edge.realtime.dialect import Dialect, GeneralAvailability
from services.orchestrator.edge.realtime.protocol import RealtimeProtocol
from services.orchestrator.edge.relay.relay import Relays
from services.orchestrator.edge.single.routes import single_stage_routes
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.edge.webrtc import routes as webrtc
from services.orchestrator.edge.webrtc.calls import open_calls
from services.orchestrator.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application; its stages' channels live as long as its lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stages = Stages(settings)
        app.state.connections = Connections(stages, settings)
        app.state.voices = VoiceCatalogue(stages)
        async with open_calls(app.state.connections, app.state.voices) as app.state.calls:
            yield
            app.state.connections.close()
        await stages.close()

    app = FastAPI(title="voxfleet", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    protect(app, settings)
    app.include_router(status.router)
    app.include_router(console.router)
    app.include_router(auth.router)
    app.include_router(webrtc.router)
    app.router.routes.extend(single_stage_routes(settings))

    relays = Relays(settings)

    async def converse(socket: WebSocket, dialect: Dialect, model: str, extensions: str) -> None:
        connections: Connections = app.state.connections
        subprotocol = "realtime" if "realtime" in socket.scope["subprotocols"] else None
        if model in relays:
            beta = isinstance(dialect, Beta)
            await relays.serve(socket, connections, model, beta=beta, extensions=extensions, subprotocol=subprotocol)
            return
        await connections.serve(
            socket,
            lambda session: RealtimeProtocol(
                session,
                app.state.voices,
                dialect,
                model=model,
                extensions="voxfleet" in extensions.split(","),
                audio=starting_audio(socket),
            ),
            subprotocol,
        )

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket, model: str = "voxfleet", extensions: str = "") -> None:
        header = ",".join(socket.headers.getlist("openai-beta"))
        beta = is_wanted(header, socket.scope["subprotocols"])
        await converse(socket, Beta() if beta else GeneralAvailability(), model, extensions)

    @app.websocket("/ws/voice")
    async def voice(socket: WebSocket, model: str = "voxfleet", extensions: str = "") -> None:
        await converse(socket, Beta(), model, extensions)

    @app.websocket("/realtime")
    async def plain(socket: WebSocket) -> None:
        await serve_plain(socket, app.state.connections, app.state.voices)

    return app
