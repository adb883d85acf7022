"""Audio as servers of OpenAI's speech API stream it, PCM s16le or WAV, turned into float samples at one rate. Pure.

Source of the WAV layout: Microsoft's Multimedia Programming Interface 1.0 and its WAVEFORMATEXTENSIBLE note.
"""

import struct
from dataclasses import dataclass

import numpy as np

from chassis.audio import BYTES_PER_SAMPLE, Float32, float_to_pcm, pcm_to_float
from chassis.resampling import Resampler
from chassis.upstream import malformed

_PCM, _EXTENSIBLE = 1, 0xFFFE
_MIN_HEADER_BYTES = 12
_MAX_HEADER_BYTES = 1 << 16
_MIN_RATE, _MAX_RATE = 4_000, 384_000
_MAX_CHANNELS = 8
# Writers of streams cannot know the size of what they begin.
_UNKNOWN_SIZES = (0, 0x7FFF_FFFF, 0xFFFF_FFFF)
_LONGEST_SIZE = 0x7FFF_0000
_OTHER_TYPES = ("text/", "application/json", "audio/mpeg", "audio/mp3", "audio/ogg", "audio/opus", "audio/aac")
_OTHER_SIGNS = (b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Of 16-bit samples; `size` in bytes, None until the end of the stream."""

    rate: int
    channels: int
    size: int | None


class AudioReader:
    """Reads one answer of any chunking. What begins with `RIFF` is read as WAV, anything else as PCM at `pcm_rate`.

    The samples that it gives are float32 [n] in [-1, 1), mono, `rate` a second.
    """

    def __init__(self, content_type: str, pcm_rate: int, rate: int) -> None:
        if content_type.startswith(_OTHER_TYPES):
            raise malformed(f"expected pcm or wav, got {content_type}")
        self._pcm_rate = pcm_rate
        self._rate = rate
        self._buffer = b""
        self._layout: _Layout | None = None
        self._resampler = Resampler(rate, rate)
        self._read = 0

    def push(self, piece: bytes) -> Float32:
        """The samples that `piece` ends. Raises StageError UPSTREAM_MALFORMED."""
        self._buffer += piece
        if self._layout is None:
            if len(self._buffer) < _MIN_HEADER_BYTES:
                return np.zeros(0, np.float32)
            self._begin()
        return pcm_to_float(self._resampler.push(self._take()))

    def flush(self) -> Float32:
        """The last samples. Raises StageError UPSTREAM_MALFORMED where there were none at all."""
        if self._layout is None:
            if self._buffer.startswith(b"RIFF"):
                raise malformed("expected a WAV stream, got the beginning of its header")
            self._layout = _Layout(self._pcm_rate, 1, None)
            self._resampler = Resampler(self._pcm_rate, self._rate)
        pcm = self._resampler.push(self._take())
        if not self._read:
            raise malformed("expected audio, got none")
        return pcm_to_float(pcm + self._resampler.flush())

    def _begin(self) -> None:
        if self._buffer.startswith(_OTHER_SIGNS):
            raise malformed("expected pcm or wav, got compressed audio")
        if not self._buffer.startswith(b"RIFF"):
            self._layout = _Layout(self._pcm_rate, 1, None)
        elif (found := _find_audio(self._buffer)) is not None:
            self._layout, start = found
            self._buffer = self._buffer[start:]
        elif len(self._buffer) > _MAX_HEADER_BYTES:
            raise malformed(f"expected the audio of a WAV stream within {_MAX_HEADER_BYTES} bytes")
        if self._layout is not None:
            self._resampler = Resampler(self._layout.rate, self._rate)

    def _take(self) -> bytes:
        """All whole frames that are there, as PCM s16le mono."""
        if self._layout is None:
            return b""
        layout, frame = self._layout, BYTES_PER_SAMPLE * self._layout.channels
        left = len(self._buffer) if layout.size is None else min(len(self._buffer), layout.size - self._read)
        whole = left // frame * frame
        data, self._buffer = self._buffer[:whole], self._buffer[whole:]
        if layout.size is not None and self._read + whole + frame > layout.size:
            # Chunks that follow the audio are no audio.
            self._buffer = b""
        self._read += whole
        if layout.channels == 1:
            return data
        frames = pcm_to_float(data).reshape(-1, layout.channels)
        return float_to_pcm(frames.mean(axis=1, dtype=np.float32))


def _find_audio(data: bytes) -> tuple[_Layout, int] | None:
    """The layout and where the audio begins; None where more of the header must come."""
    if data[8:12] != b"WAVE":
        raise malformed("expected a WAV stream, got another RIFF file")
    at = _MIN_HEADER_BYTES
    form: tuple[int, int] | None = None
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"data":
            if form is None:
                raise malformed("expected a WAV stream's format before its audio")
            known = size not in _UNKNOWN_SIZES and size < _LONGEST_SIZE
            return _Layout(*form, size if known else None), at
        if at + size > len(data):
            return None
        if name == b"fmt ":
            form = _form(data[at : at + size])
        at += size + size % 2
    return None


def _form(chunk: bytes) -> tuple[int, int]:
    """Rate and channels."""
    if len(chunk) < 16:
        raise malformed("expected a WAV format of 16 bytes or more")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    if tag != _PCM or bits != 8 * BYTES_PER_SAMPLE:
        raise malformed(f"expected WAV samples of 16 bits PCM, got format {tag} of {bits} bits")
    if not 1 <= channels <= _MAX_CHANNELS or not _MIN_RATE <= rate <= _MAX_RATE:
        raise malformed(f"expected 1 to {_MAX_CHANNELS} channels at a usual rate, got {channels} at {rate} Hz")
    return rate, channels
