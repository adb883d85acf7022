"""`/realtime`: a connection of the plain protocol, as its address asks for it."""

from fastapi import WebSocket
from pydantic import BaseModel, ConfigDict, ValidationError

from services.orchestrator.edge.connection import POLICY_VIOLATION, Connections
from services.orchestrator.edge.plain import messages
from services.orchestrator.edge.plain.framing import Framing
from services.orchestrator.edge.plain.protocol import PlainProtocol
from services.orchestrator.edge.validation import explain
from services.orchestrator.edge.voices import VoiceCatalogue


class Query(BaseModel):
    """The parameters of the address; others are somebody else's."""

    model_config = ConfigDict(extra="ignore")

    framing: Framing = Framing.RAW


async def serve_plain(socket: WebSocket, connections: Connections, voices: VoiceCatalogue) -> None:
    """Serves one WebSocket. An address that asks for what is not there is an `error` frame and close code 1008."""
    asked = dict(socket.query_params)
    try:
        query = Query.model_validate(asked)
    except ValidationError as problem:
        fault = explain(problem, asked)
        # Browsers show their page nothing of a refusal, but the frames of a connection.
        await socket.accept()
        await socket.send_text(messages.error(fault.code, fault.message, fault.param))
        await socket.close(POLICY_VIOLATION)
        return
    settings = connections.settings
    await connections.serve(socket, lambda session: PlainProtocol(session, voices, settings, query.framing))
