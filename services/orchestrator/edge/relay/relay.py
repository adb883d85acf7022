"""Sessions whose model another Realtime server answers for: from the request to the close frame."""

import asyncio
import json
import logging
import secrets
from collections.abc import Coroutine
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from chassis.metrics import RELAY_ERRORS, SESSIONS, SESSIONS_ACTIVE
from services.orchestrator.edge.auth.access import Grant
from services.orchestrator.edge.connection import GOING_AWAY, INTERNAL_ERROR, POLICY_VIOLATION, Connections
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.beta import Beta
from services.orchestrator.edge.relay import hops
from services.orchestrator.edge.relay.link import Link, Links, Patience, UpstreamError, Wish
from services.orchestrator.edge.relay.session import Limits, RelayedSession, UpstreamEndedError
from services.orchestrator.edge.relay.watch import Json
from services.orchestrator.session import SlowClientError
from services.orchestrator.settings import Settings

log = logging.getLogger(__name__)

# A client that does not read takes no close frame either.
_CLOSE_TIMEOUT_S = 1.0
# Longest reason of a close frame, in bytes: RFC 6455, 5.5.
_MAX_REASON_BYTES = 123


class Relays:
    """The relayed models of one server."""

    def __init__(self, settings: Settings) -> None:
        patience = Patience(settings.relay_attempts, settings.relay_timeout_s)
        self._links = {
            upstream.name: Links(upstream, max_bytes=settings.max_message_bytes, patience=patience)
            for upstream in settings.upstreams
        }
        self._limits = Limits(
            idle_s=settings.session_idle_timeout_s,
            stall_s=settings.relay_stall_s,
            max_frame=settings.max_message_bytes,
            replay_bytes=settings.relay_replay_bytes,
        )
        self._own_hop = secrets.token_hex(8)

    def __contains__(self, model: str) -> bool:
        return model in self._links

    async def serve(
        self,
        socket: WebSocket,
        connections: Connections,
        model: str,
        *,
        beta: bool,
        extensions: str,
        subprotocol: str | None,
    ) -> None:
        """Relays one WebSocket until either side ends it; accepts it when the upstream has greeted."""
        try:
            # The session of the fleet is never run: only its place is taken.
            with connections.admitted(socket):
                session = await self._opened(socket, model, beta=beta, extensions=extensions)
                try:
                    await self._relay(socket, session, subprotocol)
                finally:
                    await session.close()
        except ApiError as refusal:
            await socket.send_denial_response(refusal.response())
        except WebSocketDisconnect:
            log.debug("the client did not wait for the upstream")

    async def _opened(self, socket: WebSocket, model: str, *, beta: bool, extensions: str) -> RelayedSession:
        """A session with the upstream. Raises ApiError, WebSocketDisconnect."""
        links = self._links[model]
        grant: Grant = socket.state.grant
        if grant.session is not None and grant.session.model != model:
            # Else whoever holds a secret for the fleet could spend the server's key.
            message = f"the client secret is not for {model}: its session has to name the model"
            raise ApiError(403, message, code="client_secret_not_allowed", param="model")
        try:
            passed = hops.onward(socket.headers.getlist(hops.HEADER), self._own_hop)
            wish = Wish(passed, beta=beta, extensions=extensions, session=_secret_session(grant, beta=beta))
            link = await _while_waited_for(socket, links.open(wish))
        except hops.LoopError as loop:
            raise ApiError(508, str(loop), code="relay_loop") from loop
        except UpstreamError as problem:
            RELAY_ERRORS.labels(model, problem.reason.value).inc()
            log.warning("no upstream", extra={"relay": model, "reason": str(problem)})
            status = 503 if problem.temporary else 502
            raise ApiError(status, str(problem), code=f"upstream_{problem.reason.value}") from problem
        return RelayedSession(socket, links, link, wish, self._limits)

    async def _relay(self, socket: WebSocket, session: RelayedSession, subprotocol: str | None) -> None:
        SESSIONS_ACTIVE.inc()
        outcome, code, reason, event = "closed", GOING_AWAY, "", None
        try:
            await _accept(socket, subprotocol)
            await session.run()
        except* WebSocketDisconnect:
            log.debug("the client has left")
        except* UpstreamEndedError as group:
            ended = next(error for error in group.exceptions if isinstance(error, UpstreamEndedError))
            code, reason, event = ended.code, ended.reason, ended.event
            outcome = "closed" if event is None else "failed"
        except* SlowClientError as group:
            code = POLICY_VIOLATION
            log.warning("slow client", extra={"reason": str(group.exceptions[0])})
        except* TimeoutError:
            code = POLICY_VIOLATION
        except* Exception:
            outcome, code = "failed", INTERNAL_ERROR
            log.exception("relayed session failed")
        finally:
            SESSIONS_ACTIVE.dec()
            SESSIONS.labels(outcome).inc()
        await _close(socket, code, reason, event)


async def _while_waited_for(socket: WebSocket, opening: Coroutine[Any, Any, Link]) -> Link:
    """What `opening` opens, unless the client leaves before: then it would hold its place for nobody.

    Raises WebSocketDisconnect.
    """
    # The first message is the handshake, and before it is answered the next one can only be the end.
    await socket.receive()
    opened, left = asyncio.create_task(opening), asyncio.create_task(socket.receive())
    try:
        await asyncio.wait((opened, left), return_when=asyncio.FIRST_COMPLETED)
        if opened.done():
            return opened.result()
        raise WebSocketDisconnect
    finally:
        opened.cancel()
        left.cancel()
        await asyncio.gather(opened, left, return_exceptions=True)


def _secret_session(grant: Grant, *, beta: bool) -> Json | None:
    """The session of the client's secret, in the words of its generation; None where there is none."""
    if grant.session is None:
        return None
    session = grant.session.model_dump(mode="json", exclude_unset=True, exclude={"model"})
    if not beta:
        return session
    told = Beta().tell({"type": "session.updated", "session": session})
    return None if told is None else told["session"]


async def _accept(socket: WebSocket, subprotocol: str | None) -> None:
    try:
        await socket.accept(subprotocol)
    except OSError as left:
        raise WebSocketDisconnect from left


async def _close(socket: WebSocket, code: int, reason: str, event: Json | None) -> None:
    if not socket.client_state is socket.application_state is WebSocketState.CONNECTED:
        return
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            if event is not None:
                await socket.send_text(json.dumps(event, ensure_ascii=False))
            await socket.close(code, reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore"))
    except (TimeoutError, WebSocketDisconnect):
        log.debug("the client took no close frame")
