"""The orchestrator: `python -m services.orchestrator`."""

import uvicorn
from fastapi import FastAPI

from chassis.logging import configure
from chassis.memory import return_freed_memory
from chassis.settings import load
from services.orchestrator.edge.app import create_app
from services.orchestrator.settings import Settings


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How the edge is served over HTTP and WebSocket."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws="websockets-sansio",
        # The protocols refuse what is too large with an error of their own; this is only where the transport gives up.
        ws_max_size=2 * settings.max_message_bytes,
        ws_ping_interval=30.0,
        ws_ping_timeout=30.0,
        # Audio does not compress, and compressing costs more than the audio path itself.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
        log_config=None,
        access_log=False,
    )


def main() -> None:
    """Serves until SIGTERM or SIGINT; sessions then get the drain time to end."""
    settings = load(Settings, "services.orchestrator")
    configure(settings.log_level, settings.log_format)
    return_freed_memory()
    uvicorn.Server(server_config(create_app(settings), settings)).run()


if __name__ == "__main__":
    main()
