"""One relayed session: frames both ways, and a new upstream for one that is lost before it has said anything."""

import asyncio
import json
import logging
from dataclasses import dataclass

from fastapi import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed

from chassis.metrics import FRAMES_DROPPED, RELAY_ERRORS, RELAY_RECONNECTS, RELAY_TURNS, RELAY_VOICE_TO_VOICE
from services.orchestrator.edge.realtime.server_events import error, new_event_id
from services.orchestrator.edge.relay.link import Link, Links, Reason, UpstreamError, Wish, backoff_s, is_final
from services.orchestrator.edge.relay.replay import ReplayLog
from services.orchestrator.edge.relay.watch import (
    CONVERSATION_CREATED,
    CREATED,
    Answered,
    Complained,
    Ended,
    Finding,
    Json,
    Watch,
    read,
)
from services.orchestrator.session import SlowClientError

log = logging.getLogger(__name__)

_INTERNAL_ERROR = 1011
_TRY_AGAIN_LATER = 1013
_TOO_MUCH = "after more had been said than is kept to be repeated"


@dataclass(frozen=True, slots=True)
class Limits:
    """`idle_s`: longest that a client may say nothing; `stall_s`: longest wait for either side to take a frame;
    `max_frame`: most characters of a client's frame; `replay_bytes`: most characters kept to be repeated."""

    idle_s: float
    stall_s: float
    max_frame: int
    replay_bytes: int


class UpstreamEndedError(Exception):
    """The session is over, because its upstream is: how the client's WebSocket is closed, and what is said first."""

    def __init__(self, code: int, reason: str, event: Json | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.event = event


class RelayedSession:
    """Between an accepted WebSocket and the upstream of `link`. `run` it as a task."""

    def __init__(self, socket: WebSocket, links: Links, link: Link, wish: Wish, limits: Limits) -> None:
        self._socket = socket
        self._links = links
        self._link: Link | None = link
        self._greeting = link.greeting
        self._wish = wish
        self._limits = limits
        self._name = links.upstream.name
        self._watch = Watch()
        self._log = ReplayLog(limits.replay_bytes)
        self._recoveries = 0
        self._now = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Relays until a side ends it, and raises what ended it: WebSocketDisconnect where the client left,
        TimeoutError where it said nothing for the idle limit, SlowClientError, UpstreamEndedError; in a group."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._from_client())
            tasks.create_task(self._from_upstream())

    async def close(self) -> None:
        """Ends the upstream's session."""
        if self._link is not None:
            await self._link.connection.close()

    # -- from the client -----------------------------------------------------------------------------------------------

    async def _from_client(self) -> None:
        while True:
            async with asyncio.timeout(self._limits.idle_s):
                message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            frame: str | None = message.get("text")
            if frame is None:
                await self._complain("invalid_frame", "expected a text frame with one JSON event, got a binary frame")
            elif len(frame) > self._limits.max_frame:
                expected = f"expected an event of at most {self._limits.max_frame} characters, got {len(frame)}"
                await self._complain("message_too_large", expected)
            else:
                await self._pass_on(frame)

    async def _pass_on(self, frame: str) -> None:
        kind, event = read(frame)
        now = self._now()
        silence = self._watch.detects_speech and not self._watch.spoken
        self._log.add(kind, frame, now, silence=silence)
        # Without a link it is in the log, which the next link is told.
        if self._link is not None:
            self._watch.sent(kind, event, now)
            await self._send(self._link, frame)

    async def _send(self, link: Link, frame: str) -> None:
        """What cannot be sent is not lost: whoever reads from the upstream sees the same end, and has the log."""
        try:
            async with asyncio.timeout(self._limits.stall_s):
                await link.connection.send(frame)
        except TimeoutError:
            link.stalled = True
            link.abort()
        except ConnectionClosed:
            log.debug("the upstream has gone", extra={"relay": self._name})

    async def _complain(self, code: str, message: str) -> None:
        await self._tell(json.dumps(error(message, code=code) | {"event_id": new_event_id()}))

    # -- from the upstream ---------------------------------------------------------------------------------------------

    async def _from_upstream(self) -> None:
        self._watch.received(CREATED, self._greeting.created, self._now())
        for frame in self._greeting.frames:
            await self._tell(frame)
        while True:
            assert self._link is not None
            try:
                received = await self._link.connection.recv()
            except ConnectionClosed as closed:
                await self._recover(closed)
                continue
            kind, event = read(received)
            if kind == CONVERSATION_CREATED and self._recoveries:
                continue
            for finding in self._watch.received(kind, event, self._now()):
                self._note(finding)
            await self._tell(received)
            if self._watch.has_output and self._log.complete:
                self._log.end()

    async def _tell(self, frame: str | bytes) -> None:
        try:
            async with asyncio.timeout(self._limits.stall_s):
                if isinstance(frame, str):
                    await self._socket.send_text(frame)
                else:
                    await self._socket.send_bytes(frame)
        except TimeoutError:
            FRAMES_DROPPED.labels("orchestrator", "slow_client").inc()
            raise SlowClientError(f"the client took nothing for {self._limits.stall_s:g} s") from None

    def _note(self, finding: Finding) -> None:
        match finding:
            case Answered(seconds):
                RELAY_VOICE_TO_VOICE.labels(self._name).observe(seconds)
            case Ended(outcome):
                RELAY_TURNS.labels(self._name, outcome.value).inc()
            case Complained():
                RELAY_ERRORS.labels(self._name, Reason.ERROR_EVENT.value).inc()

    # -- where the upstream is lost ------------------------------------------------------------------------------------

    async def _recover(self, closed: ConnectionClosed) -> None:
        """Goes on with a new upstream as if it had been there from the beginning. Raises UpstreamEndedError."""
        lost, self._link = self._link, None
        code = None if closed.rcvd is None else closed.rcvd.code
        if closed.rcvd is not None and is_final(code):
            raise UpstreamEndedError(closed.rcvd.code, closed.rcvd.reason)
        reason = Reason.STALLED if lost is not None and lost.stalled else Reason.LOST
        RELAY_ERRORS.labels(self._name, reason.value).inc()
        how = "took nothing any more" if reason is Reason.STALLED else f"was lost ({code or 'without a close frame'})"
        self._recoveries += 1
        if self._watch.has_output:
            raise self._end(how, "after a reply had begun")
        if not self._log.complete:
            raise self._end(how, _TOO_MUCH)
        if self._recoveries > self._links.patience.attempts:
            raise self._end(how, "again and again")
        log.warning("upstream lost, trying again", extra={"relay": self._name, "reason": reason.value})
        try:
            await self._begin_again()
        except UpstreamError as problem:
            RELAY_RECONNECTS.labels(self._name, "failed").inc()
            RELAY_ERRORS.labels(self._name, problem.reason.value).inc()
            raise self._end(how, f"and could not be replaced: {problem}", temporary=problem.temporary) from problem
        RELAY_RECONNECTS.labels(self._name, "done").inc()

    async def _begin_again(self) -> None:
        if self._recoveries > 1:
            await asyncio.sleep(backoff_s(self._recoveries - 1))
        link = await self._links.open(self._wish)
        try:
            for event in self._watch.forgotten():
                await self._tell(json.dumps(event | {"event_id": new_event_id()}, ensure_ascii=False))
            self._watch = Watch(spoken=self._watch.spoken)
            self._watch.received(CREATED, link.greeting.created, self._now())
            last = 0
            while entries := self._log.after(last):
                for entry in entries:
                    self._watch.sent(entry.kind, read(entry.frame)[1], entry.at)
                    await self._send(link, entry.frame)
                last = entries[-1].number
            if not self._log.complete:
                raise self._end("was lost", _TOO_MUCH)  # noqa: TRY301 - with the link that is of no use any more
        except BaseException:
            link.abort()
            raise
        self._link = link

    def _end(self, how: str, when: str, *, temporary: bool = True) -> UpstreamEndedError:
        message = f"the upstream of {self._name} {how} {when}; open a new session"
        event = error(message, code="upstream_lost", kind="server_error") | {"event_id": new_event_id()}
        return UpstreamEndedError(_TRY_AGAIN_LATER if temporary else _INTERNAL_ERROR, "upstream lost", event)
