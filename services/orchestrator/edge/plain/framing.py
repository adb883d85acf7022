"""Binary frames of the plain protocol: bare PCM, or PCM behind a header of 8 bytes."""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

HEADER_BYTES = 8
_HEADER = struct.Struct("!II")
_MODULUS = 1 << 32


class Framing(StrEnum):
    """What a client's address asks for, both ways, for as long as the connection lives."""

    RAW = "raw"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Header:
    """Two unsigned 32-bit integers, big-endian, that wrap around: which frame it is, and where its first sample lies.

    From the client `timestamp` counts samples at 16 kHz from wherever the client likes; to the client it counts samples
    at 24 kHz from the beginning of the reply.
    """

    sequence: int
    timestamp: int

    def pack(self) -> bytes:
        """The 8 bytes."""
        return _HEADER.pack(self.sequence % _MODULUS, self.timestamp % _MODULUS)

    @classmethod
    def unpack(cls, frame: bytes) -> Self:
        """The header of `frame`, which has at least 8 bytes."""
        return cls(*_HEADER.unpack_from(frame))


def distance(number: int, origin: int) -> int:
    """How far `number` is behind `origin` where both wrap around at 2^32: in [-2^31, 2^31), as in RFC 1982."""
    return (number - origin + (_MODULUS >> 1)) % _MODULUS - (_MODULUS >> 1)
