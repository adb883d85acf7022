"""The calls of one server: each a peer and its session, from the offer until either side hangs up."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from services.orchestrator.edge.auth.middleware import starting_audio
from services.orchestrator.edge.connection import ClientLeftError, Connections
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.dialect import Dialect
from services.orchestrator.edge.realtime.protocol import RealtimeProtocol
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.edge.webrtc.offers import Offer, read_offer
from services.orchestrator.edge.webrtc.peer import Peer
from services.orchestrator.edge.webrtc.protocol import CallProtocol
from services.orchestrator.edge.webrtc.requests import CallRequest
from services.orchestrator.edge.webrtc.tracks import ReplyTrack
from services.orchestrator.ids import new_id
from services.orchestrator.session import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer is answered: the id of its call, and the SDP."""

    call_id: str
    sdp: str


class Calls:
    """Opens calls and keeps them until they end. Use `open_calls`."""

    def __init__(self, connections: Connections, voices: VoiceCatalogue, tasks: asyncio.TaskGroup) -> None:
        self._connections = connections
        self._voices = voices
        self._tasks = tasks
        self._peers: dict[str, Peer] = {}

    async def open(self, request: Request, wish: CallRequest, dialect: Dialect) -> Answer:
        """Answers an offer; the call then goes on by itself. Raises ApiError."""
        offer = read_offer(wish.sdp)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._tasks.create_task(self._serve(_Wish(request, wish, offer, dialect), answered))
        return await answered

    def hang_up(self, call_id: str) -> None:
        """Ends a call. Raises ApiError (404) where there is none of that id."""
        if call_id not in self._peers:
            raise ApiError(404, f"call_id: expected a call of this server, got {call_id!r}", code="call_not_found")
        self._peers[call_id].leave()

    def close(self) -> None:
        """Ends all calls."""
        for peer in self._peers.values():
            peer.leave()

    async def _serve(self, wish: "_Wish", answered: asyncio.Future[Answer]) -> None:
        try:
            with self._connections.admitted(wish.request) as session:
                call_id, peer = new_id("rtc"), Peer(self._connections.settings)
                self._peers[call_id] = peer
                try:
                    protocol = await self._protocol(wish, session, peer)
                    answer = await peer.answer(wish.offer, ReplyTrack(protocol.next_frame))
                    answered.set_result(Answer(call_id, answer))
                    await self._converse(session, peer, protocol)
                finally:
                    del self._peers[call_id]
                    await peer.close()
        except ApiError as refusal:
            answered.set_exception(refusal)
        except Exception:
            log.exception("call failed")
            if not answered.done():
                answered.set_exception(ApiError(500, "the call could not be opened", code="internal_error"))
        finally:
            answered.cancel()

    async def _protocol(self, wish: "_Wish", session: Session, peer: Peer) -> CallProtocol:
        query = wish.request.query_params
        named = (wish.call.session or {}).get("model")
        model = named if isinstance(named, str) else query.get("model", "voxfleet")
        if any(upstream.name == model for upstream in self._connections.settings.upstreams):
            raise ApiError.invalid(
                "model", f"a model of this server's own, got {model!r}, which is relayed: WebSocket only"
            )
        extensions = "voxfleet" in query.get("extensions", "").split(",")
        audio = starting_audio(wish.request)
        realtime = RealtimeProtocol(
            session, self._voices, wish.dialect, model=model, extensions=extensions, audio=audio
        )
        if wish.call.session is not None:
            await _configure(realtime, wish.call.session)
        return CallProtocol(session, realtime, wish.dialect, tell=peer.tell, speaks=wish.offer.speaks)

    async def _converse(self, session: Session, peer: Peer, protocol: CallProtocol) -> None:
        try:
            await peer.connected()
        except (TimeoutError, ClientLeftError):
            log.warning("peer did not connect", extra={"session": session.id})
            return
        await self._connections.converse(peer, session, protocol)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A call that somebody asks for."""

    request: Request
    call: CallRequest
    offer: Offer
    dialect: Dialect


async def _configure(realtime: RealtimeProtocol, session: dict[str, Any]) -> None:
    """Does what the form's session asks for, as if the client's first event had. Raises ApiError."""
    update = json.dumps({"type": "session.update", "session": session})
    for frame in await realtime.receive(update):
        told = json.loads(frame)
        if told["type"] == "error":
            fault = told["error"]
            raise ApiError(400, fault["message"], code=fault["code"], param=fault["param"])


@asynccontextmanager
async def open_calls(connections: Connections, voices: VoiceCatalogue) -> AsyncIterator[Calls]:
    """The server's calls; they end with the context."""
    async with asyncio.TaskGroup() as tasks:
        calls = Calls(connections, voices, tasks)
        try:
            yield calls
        finally:
            calls.close()
