"""What a client of the plain protocol has sent and may send: numbers, window, acknowledgements. Pure."""

import struct
from collections import deque
from dataclasses import dataclass

SAMPLE_RATE = 16_000
"""Samples a second of the client's audio, in hertz."""
HEADER = struct.Struct("!II")
"""Before the audio of every binary frame, both ways: sequence number, and timestamp in samples."""
_MODULUS = 1 << 32


@dataclass(frozen=True, slots=True)
class _Sent:
    sequence: int
    frame: bytes

    @property
    def samples(self) -> int:
        return (len(self.frame) - HEADER.size) // 2


class Outbox:
    """Numbers frames and keeps those that the server has not acknowledged, which are never more than the window.

    They are what would have to be sent again over another connection.
    """

    def __init__(self, window_ms: int, sequence: int = 0, timestamp: int = 0) -> None:
        self._window = window_ms * SAMPLE_RATE // 1000
        self._sequence = sequence
        self._timestamp = timestamp
        self._sent: deque[_Sent] = deque()
        self._outstanding = 0  # samples

    @property
    def room(self) -> int:
        """Samples that may be sent now."""
        return max(0, self._window - self._outstanding)

    @property
    def unacknowledged(self) -> list[bytes]:
        """The frames that the server may not have, oldest first."""
        return [sent.frame for sent in self._sent]

    def pack(self, pcm: bytes) -> bytes:
        """The next frame: `pcm`, whole samples and no more than there is `room` for, behind its header."""
        frame = HEADER.pack(self._sequence, self._timestamp) + pcm
        sent = _Sent(self._sequence, frame)
        self._sent.append(sent)
        self._outstanding += sent.samples
        self._sequence = (self._sequence + 1) % _MODULUS
        self.skip(sent.samples)
        return frame

    def skip(self, samples: int) -> None:
        """So many samples were recorded and are not sent: the microphone was muted, or overran."""
        self._timestamp = (self._timestamp + samples) % _MODULUS

    def acknowledge(self, sequence: int, window_ms: int) -> None:
        """The server has everything up to `sequence` and takes `window_ms` more. An old number changes nothing."""
        self._window = window_ms * SAMPLE_RATE // 1000
        if not any(sent.sequence == sequence for sent in self._sent):
            return
        while self._sent:
            sent = self._sent.popleft()
            self._outstanding -= sent.samples
            if sent.sequence == sequence:
                return
