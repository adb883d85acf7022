"""Every path that speaks to one stage alone."""

from starlette.routing import BaseRoute, Route, WebSocketRoute

from services.orchestrator.edge.single import chat, models, speech, stt_socket, transcriptions, tts_socket
from services.orchestrator.edge.single.backend import Places
from services.orchestrator.edge.single.http import Endpoint
from services.orchestrator.edge.single.sockets import SocketEndpoint
from services.orchestrator.settings import Settings


def single_stage_routes(settings: Settings) -> list[BaseRoute]:
    """The routes; together they serve at most `settings.max_requests` at once."""
    places = Places(settings.max_requests)
    hear = SocketEndpoint(stt_socket.converse, places)
    return [
        WebSocketRoute("/ws/stt", hear),
        WebSocketRoute("/stream", hear),
        WebSocketRoute("/ws/tts", SocketEndpoint(tts_socket.converse, places)),
        Route(
            "/v1/audio/transcriptions",
            Endpoint(transcriptions.create_transcription, places, transcriptions.PARAMS),
            methods=["POST"],
        ),
        Route("/v1/audio/speech", Endpoint(speech.create_speech, places, speech.PARAMS), methods=["POST"]),
        Route("/v1/chat/completions", Endpoint(chat.create_completion, places, chat.PARAMS), methods=["POST"]),
        Route("/v1/models", Endpoint(models.list_models, places, {}), methods=["GET"]),
        Route("/v1/models/{model:path}", Endpoint(models.retrieve_model, places, {}), methods=["GET"]),
    ]
