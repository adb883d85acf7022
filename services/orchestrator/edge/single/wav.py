"""RIFF WAVE files, read and begun. Pure.

Source: Microsoft's Multimedia Programming Interface 1.0 and its WAVEFORMATEXTENSIBLE note. The standard library's
`wave` reads integer PCM only, and no header of a stream, whose sizes are not known yet.
"""

import struct
from dataclasses import dataclass

import numpy as np

from chassis.audio import SAMPLE_RATE, Float32, float_to_pcm, integers_to_float, resample

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WIDTHS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
MAX_CHANNELS = 32
MIN_RATE, MAX_RATE = 4_000, 384_000
# Stands for "until the end" in the headers of streams.
_UNKNOWN = 0xFFFF_FFFF


class NotWavError(ValueError):
    """The bytes are no WAV file that can be read; the text says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class _Format:
    tag: int
    channels: int
    rate: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def streaming_header(rate: int) -> bytes:
    """The header of a WAV stream of PCM s16le mono at `rate` hertz whose length is not known."""
    form = struct.pack("<HHIIHH", _PCM, 1, rate, 2 * rate, 2, 16)
    fields = (b"RIFF", _UNKNOWN, b"WAVE", b"fmt ", len(form), form, b"data", _UNKNOWN)
    return struct.pack("<4sI4s4sI16s4sI", *fields)


def read_wav(data: bytes, max_seconds: float) -> bytes:
    """The audio of a WAV file, channels averaged, as PCM s16le mono at 16 kHz. Raises NotWavError."""
    form, start, size = _find(data)
    frames = size // form.frame_bytes
    if not frames:
        raise NotWavError("expected audio, got a WAV file without any")
    if frames > max_seconds * form.rate:
        raise NotWavError(f"expected at most {max_seconds:g} s of audio, got {frames / form.rate:.1f} s")
    samples = _samples(data[start : start + frames * form.frame_bytes], form)
    mono: Float32 = samples.reshape(frames, form.channels).mean(axis=1, dtype=np.float32)
    return float_to_pcm(resample(mono, form.rate, SAMPLE_RATE))


def _find(data: bytes) -> tuple[_Format, int, int]:
    """The format, and where the samples begin and how many bytes they are."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotWavError("expected a WAV file, got something else")
    form: _Format | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        there = min(size, len(data) - at)
        if name == b"fmt ":
            form = _format(data[at : at + there])
        elif name == b"data":
            if form is None:
                raise NotWavError("expected the format before the audio: the file has no fmt chunk")
            # Writers that cannot seek back leave 0 or the largest size behind.
            return form, at, there if size else len(data) - at
        at += size + size % 2
    raise NotWavError("expected audio: the file has no data chunk")


def _format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise NotWavError("expected a fmt chunk of 16 bytes or more: the file is cut off")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    if bits not in _WIDTHS.get(tag, ()):
        raise NotWavError(
            f"expected WAV samples of 8, 16, 24 or 32 bits PCM or 32 or 64 bits float, got format {tag} of {bits} bits"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise NotWavError(f"expected 1 to {MAX_CHANNELS} channels, got {channels}")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise NotWavError(f"expected a sample rate of {MIN_RATE} to {MAX_RATE} Hz, got {rate}")
    return _Format(tag, channels, rate, bits)


def _samples(data: bytes, form: _Format) -> Float32:
    """Interleaved samples as float32 in [-1, 1]."""
    if form.tag == _FLOAT:
        floats = np.frombuffer(data, f"<f{form.bits // 8}").astype(np.float32)
        return np.nan_to_num(np.clip(floats, -1.0, 1.0))
    return integers_to_float(data, form.bits // 8)
