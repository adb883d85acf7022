"""G.711, telephone audio: one byte a sample, by µ-law or A-law. Pure.

Source: ITU-T Recommendation G.711, tables 1 and 2. Its values have 13 bits (A) and 14 bits (µ); here they are scaled to
16. A negative sample has the code of its one's complement with the sign changed, as in the tools of ITU-T G.191.
"""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from chassis.audio import Int16

SAMPLE_RATE = 8_000
"""Samples a second of G.711 audio, in hertz."""

UInt8 = NDArray[np.uint8]

# The magnitude that µ-law adds so that every segment begins at a power of two, and the largest that it can code then.
_MU_BIAS = 33 << 2
_MU_CLIP = 32_767 - _MU_BIAS
# A-law inverts every other bit on the line, µ-law all of them.
_A_MASK = 0x55
_MU_MASK = 0xFF
_POSITIVE = 0x80


class Law(Enum):
    """How samples are companded."""

    MU = "µ"
    A = "A"


def decode(codes: bytes, law: Law) -> bytes:
    """G.711 as PCM s16le; every byte is a sample."""
    pcm: bytes = _DECODED[law][np.frombuffer(codes, np.uint8)].astype("<i2").tobytes()
    return pcm


def encode(pcm: bytes, law: Law) -> bytes:
    """PCM s16le as G.711. Raises ValueError on an odd number of bytes."""
    codes: bytes = _ENCODED[law][np.frombuffer(pcm, "<u2")].tobytes()
    return codes


def _mu_values() -> Int16:
    """The sample of each µ-law code, int16 [256]."""
    code = np.arange(256) ^ _MU_MASK
    magnitude = (((code & 0x0F) * 8 + _MU_BIAS) << ((code >> 4) & 7)) - _MU_BIAS
    return np.where(code & _POSITIVE, -magnitude, magnitude).astype(np.int16)


def _a_values() -> Int16:
    """The sample of each A-law code, int16 [256]."""
    code = np.arange(256) ^ _A_MASK
    step, segment = code & 0x0F, (code >> 4) & 7
    magnitude = np.where(segment == 0, step * 16 + 8, (step * 16 + 264) << np.maximum(segment - 1, 0))
    return np.where(code & _POSITIVE, magnitude, -magnitude).astype(np.int16)


def _mu_codes() -> UInt8:
    """The µ-law code of each sample, uint8 [65536], indexed by the sample's unsigned bits."""
    sample = _samples()
    magnitude = np.minimum(np.where(sample < 0, ~sample, sample), _MU_CLIP) + _MU_BIAS
    segment = _bit_length(magnitude) - 8
    code = (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F)
    return (np.where(sample < 0, code | _POSITIVE, code) ^ _MU_MASK).astype(np.uint8)


def _a_codes() -> UInt8:
    """The A-law code of each sample, uint8 [65536], indexed by the sample's unsigned bits."""
    sample = _samples()
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    segment = np.maximum(_bit_length(magnitude) - 4, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment - 1, 0)) & 0x0F)
    codes: UInt8 = (np.where(sample < 0, code, code | _POSITIVE) ^ _A_MASK).astype(np.uint8)
    return codes


def _samples() -> NDArray[np.int64]:
    return np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int64)


def _bit_length(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.frexp(values)[1].astype(np.int64)


_DECODED = {Law.MU: _mu_values(), Law.A: _a_values()}
_ENCODED = {Law.MU: _mu_codes(), Law.A: _a_codes()}
