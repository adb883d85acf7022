"""One peer connection: an offer in, an answer out, and then frames both ways until either side ends it.

What the peer says (events of its data channel, audio of its microphone) comes out of `receive`; what it is told goes
into `send`; what it hears is pulled from the track.
"""

import asyncio
import json
import logging
from collections import deque
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCIceTransport, RTCPeerConnection
from aiortc import RTCSessionDescription as Description
from aiortc.codecs import get_capabilities
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from services.orchestrator.edge.connection import ClientLeftError, Frame
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.server_events import error, new_event_id
from services.orchestrator.edge.webrtc.inbox import Inbox
from services.orchestrator.edge.webrtc.offers import Offer, announcing
from services.orchestrator.edge.webrtc.tracks import Microphone, ReplyTrack
from services.orchestrator.session import SlowClientError
from services.orchestrator.settings import Settings

log = logging.getLogger(__name__)
# It tells every check of every path, with the addresses of the peers.
logging.getLogger("aioice").setLevel(logging.WARNING)

# Events that wait for the peer to open its data channel, and bytes that wait in it once it is open.
_MAX_PENDING = 1_024
_MAX_BUFFERED = 8 << 20
# Closing sends a few datagrams and waits for no answer.
_CLOSE_S = 5.0


class Peer:
    """One WebRTC peer. `answer` it once, `close` it in any case."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=_ice_servers(settings)))
        self._connection.on("connectionstatechange", self._on_state)
        self._connection.on("datachannel", self._on_channel)
        self._inbox = Inbox()
        self._microphone = Microphone(self._inbox.put)
        self._connected = asyncio.Event()
        self._has_channel = False
        self._channel: RTCDataChannel | None = None
        self._pending: deque[str] = deque()

    async def answer(self, offer: Offer, track: ReplyTrack) -> str:
        """The SDP that answers `offer`; the peer will hear `track`. Raises ApiError where it cannot be answered."""
        self._has_channel = offer.has_channel
        audio = self._connection.addTransceiver(track)
        audio.setCodecPreferences([codec for codec in get_capabilities("audio").codecs if _is_opus(codec)])
        self._microphone.listen(audio.receiver)
        try:
            await self._connection.setRemoteDescription(Description(offer.sdp, "offer"))
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except (ValueError, InternalError, InvalidAccessError, InvalidStateError, OperationError) as problem:
            raise ApiError.invalid("sdp", f"an offer that can be answered: {problem}") from problem
        answer: str = self._connection.localDescription.sdp
        if "a=candidate:" not in answer:
            message = "the server's machine has no address that a peer could reach; its loopback is none"
            raise ApiError(503, message, code="no_candidates")
        address = self._settings.webrtc_announce_address
        return announcing(answer, address) if address else answer

    async def connected(self) -> None:
        """Waits until the peer is connected. Raises TimeoutError, or ClientLeftError where it cannot be any more."""
        async with asyncio.timeout(self._settings.webrtc_connect_timeout_s):
            await self._connected.wait()
        if self._connection.connectionState != "connected":
            raise ClientLeftError

    async def receive(self) -> Frame:
        """What the peer said next: text is an event, bytes are PCM s16le mono at 16 kHz."""
        return await self._inbox.get()

    async def send(self, frame: Frame) -> None:
        """Tells the peer one event."""
        assert isinstance(frame, str)
        self.tell(frame)

    def tell(self, event: str) -> None:
        """Tells the peer one event, now or once its data channel is open. A peer that takes none is given up."""
        if self._channel is None:
            if self._has_channel:
                self._pending.append(event)
            if len(self._pending) > _MAX_PENDING:
                self._inbox.fail(SlowClientError(f"the data channel is not open after {_MAX_PENDING} events"))
        elif self._channel.readyState == "open":
            self._send(self._channel, event)

    def leave(self) -> None:
        """Whoever waits for the peer is told that it has gone."""
        self._inbox.close()
        self._connected.set()

    async def close(self) -> None:
        """Ends the connection; the peer is told."""
        self._microphone.close()
        self.leave()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._connection.close()
        except Exception as problem:
            # Its sockets are what aiortc closes last, and a half negotiated connection is more than it can close.
            log.warning("peer connection did not close: %r", problem)
            for transport in self._ice_transports():
                await transport.stop()

    def _ice_transports(self) -> set[RTCIceTransport]:
        transports = {transceiver.receiver.transport for transceiver in self._connection.getTransceivers()}
        if self._connection.sctp is not None:
            transports.add(self._connection.sctp.transport)
        return {transport.transport for transport in transports if transport is not None}

    def _send(self, channel: RTCDataChannel, event: str) -> None:
        try:
            channel.send(event)
        except ValueError:
            # A message has the size that the peer's offer names, or less. Its parts would be no events.
            channel.send(_too_large(event))
        if channel.bufferedAmount > _MAX_BUFFERED:
            self._inbox.fail(SlowClientError(f"the data channel holds {channel.bufferedAmount} bytes"))

    def _on_state(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected.set()
        elif state in ("failed", "closed"):
            self.leave()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if self._channel is not None:
            channel.close()  # one is for events; nothing is said on others
            return
        self._channel = channel
        channel.on("message", self._on_message)
        channel.on("close", self._inbox.close)
        while self._pending:
            self._send(channel, self._pending.popleft())

    def _on_message(self, message: str | bytes) -> None:
        self._inbox.put(message if isinstance(message, str) else message.decode("utf-8", "replace"))


def _is_opus(codec: RTCRtpCodecCapability) -> bool:
    return codec.mimeType.lower() == "audio/opus"


def _ice_servers(settings: Settings) -> list[RTCIceServer]:
    servers = []
    if settings.webrtc_stun_server:
        servers.append(RTCIceServer(settings.webrtc_stun_server))
    if settings.webrtc_turn_server:
        password = settings.webrtc_turn_password.get_secret_value()
        servers.append(RTCIceServer(settings.webrtc_turn_server, settings.webrtc_turn_username, password))
    return servers


def _too_large(event: str) -> str:
    told: dict[str, Any] = json.loads(event)
    size = len(event.encode())
    message = f"an event of the type {told['type']!r} has {size} bytes, more than the data channel of this peer takes"
    return json.dumps(error(message, code="event_too_large", kind="server_error") | {"event_id": new_event_id()})
