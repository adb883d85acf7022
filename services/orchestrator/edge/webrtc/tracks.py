"""The two ends of the audio of one call: the peer's microphone, and what the peer hears."""

import asyncio
import logging
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack, RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet as AvPacket

from chassis.audio import SAMPLE_RATE
from chassis.metrics import FRAMES_DROPPED
from chassis.resampling import Resampler
from services.orchestrator.edge.webrtc.concealment import Concealment
from services.orchestrator.edge.webrtc.jitter import JitterBuffer, Packet, Timeline
from services.orchestrator.edge.webrtc.opus import FRAME, RATE, DamagedPacketError, Decoder, Encoder
from services.orchestrator.edge.webrtc.playback import Frame

log = logging.getLogger(__name__)

FRAME_S = FRAME / RATE
# Where the loop is late by more than this, the track goes on from now instead of sending all at once what it missed.
_MAX_LATE_S = 0.1
# Packets behind a gap wait for the missing one no longer than this, also where no other comes any more.
_MAX_HELD_S = 0.1


class ReplyTrack(MediaStreamTrack):
    """20 ms of Opus every 20 ms, for ever. `next_frame` says what is in them; it must not wait."""

    kind = "audio"

    def __init__(self, next_frame: Callable[[], Frame]) -> None:
        super().__init__()
        self._next_frame = next_frame
        self._encoder = Encoder()
        self._sent = 0
        self._due = 0.0

    async def recv(self) -> "AvPacket[Any]":
        """The next packet, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        if now - self._due > _MAX_LATE_S:
            self._due = now
        if self._due > now:
            await asyncio.sleep(self._due - now)
        self._due += FRAME_S
        packet = AvPacket(self._encoder.encode(self._next_frame().pcm))
        packet.pts = self._sent
        packet.time_base = Fraction(1, RATE)
        self._sent += FRAME
        return packet


class Microphone:
    """What a peer says, told to `heard` as PCM s16le mono at 16 kHz: in order, every gap filled by RTP timestamps."""

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._jitter = JitterBuffer()
        self._timeline = Timeline()
        self._decoder = Decoder()
        self._concealment = Concealment()
        self._resampler = Resampler(RATE, SAMPLE_RATE)
        self._source: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, receiver: RTCRtpReceiver) -> None:
        """Takes the packets of `receiver` from now on.

        They are taken where the receiver's own jitter buffer is, which adds 80 ms, or 300 ms once a packet was lost.
        """
        if not hasattr(receiver, _JITTER_BUFFER):
            raise RuntimeError(f"aiortc's RTCRtpReceiver has no {_JITTER_BUFFER} any more: take packets elsewhere")
        setattr(receiver, _JITTER_BUFFER, _Tap(self.push))

    def push(self, packet: Packet, source: int) -> None:
        """Takes one packet of the synchronisation source `source`."""
        if source != self._source:
            # Another sender on the same track: its counters begin anywhere.
            self._source = source
            self._jitter, self._timeline = JitterBuffer(), Timeline()
        dropped = self._jitter.dropped
        self._play(self._jitter.push(packet))
        FRAMES_DROPPED.labels("orchestrator", "webrtc_late").inc(self._jitter.dropped - dropped)
        self._wait_for_missing()

    def close(self) -> None:
        """Nothing is told any more."""
        self._stop_waiting()

    def _wait_for_missing(self) -> None:
        if not self._jitter.waits:
            self._stop_waiting()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_MAX_HELD_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self._play(self._jitter.flush())

    def _play(self, packets: list[Packet]) -> None:
        for packet in packets:
            try:
                pcm = self._decoder.decode(packet.payload)
            except DamagedPacketError as problem:
                # As good as lost: the next one shows how long it was.
                log.debug("damaged packet", extra={"reason": str(problem)})
                continue
            if not pcm:
                continue
            gap = self._timeline.gap_before(packet.timestamp)
            self._timeline.advance(packet.timestamp, len(pcm) // 2)
            filled = self._concealment.fill(gap) if gap else b""
            self._heard(self._resampler.push(filled + self._concealment.push(pcm)))


# aiortc has no public way to the packets of a track.
_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"


class _Tap:
    """Stands in for a receiver's jitter buffer: hands packets on and keeps none, so that nothing else decodes them."""

    def __init__(self, push: Callable[[Packet, int], None]) -> None:
        self._push = push

    def add(self, packet: Any) -> tuple[bool, None]:
        """What aiortc calls with each RTP packet, its payload in `_data`; no request for a picture, no frame."""
        if packet._data:
            self._push(Packet(packet.sequence_number, packet.timestamp, packet._data), packet.ssrc)
        return False, None
