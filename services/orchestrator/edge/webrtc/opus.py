"""Opus between packets and PCM s16le mono at 48 kHz, by PyAV's libopus."""

from fractions import Fraction

import av
from av import AudioFrame, CodecContext, Packet

RATE = 48_000
"""Samples a second, in hertz."""
FRAME = RATE // 50
"""Samples of a packet that is sent: 20 ms."""

# Speech of one voice; 32 kbit/s leaves room for the copy of the packet before (forward error correction), which a
# receiver that misses that one plays. The share of loss to be ready for is that of a poor mobile connection.
_BIT_RATE = 32_000
_OPTIONS = {"application": "voip", "fec": "1", "packet_loss": "10", "compression_level": "5"}
# Silent frames until the encoder says the same of each that follows.
_SETTLED = 25


class DamagedPacketError(ValueError):
    """A packet that is no Opus."""


class Decoder:
    """One stream's packets, in order."""

    def __init__(self) -> None:
        self._codec = CodecContext.create("libopus", "r")
        self._codec.format = "s16"
        self._codec.layout = "mono"
        self._codec.sample_rate = RATE

    def decode(self, payload: bytes) -> bytes:
        """The packet's PCM. Raises DamagedPacketError."""
        try:
            frames = self._codec.decode(Packet(payload))
        except av.FFmpegError as problem:
            raise DamagedPacketError(f"expected an Opus packet, got {len(payload)} bytes: {problem}") from problem
        return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)


class Encoder:
    """One stream's frames of 20 ms, in order. Silence that lasts costs nothing: its packet is sent again."""

    def __init__(self) -> None:
        self._codec = CodecContext.create("libopus", "w")
        self._codec.bit_rate = _BIT_RATE
        self._codec.format = "s16"
        self._codec.layout = "mono"
        self._codec.sample_rate = RATE
        self._codec.time_base = Fraction(1, RATE)
        self._codec.options = dict(_OPTIONS)
        self._position = 0
        self._silent = 0
        self._last = b""

    def encode(self, pcm: bytes | None) -> bytes:
        """The packet of `FRAME` samples; None is silence."""
        self._silent = self._silent + 1 if pcm is None else 0
        if self._silent > _SETTLED:
            return self._last
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(bytes(2 * FRAME) if pcm is None else pcm)
        frame.sample_rate = RATE
        frame.pts = self._position
        frame.time_base = Fraction(1, RATE)
        self._position += FRAME
        self._last = b"".join(bytes(packet) for packet in self._codec.encode(frame))
        return self._last
