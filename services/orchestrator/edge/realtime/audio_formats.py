"""The audio formats of the Realtime protocol, and the streams between them and PCM. Pure."""

from enum import StrEnum

from chassis import g711
from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.resampling import Resampler

PCM_RATE = 24_000
"""Samples a second of `audio/pcm`, in hertz."""


class AudioFormat(StrEnum):
    """A format by its name in the protocol."""

    PCM = "audio/pcm"
    PCMU = "audio/pcmu"
    PCMA = "audio/pcma"

    @property
    def law(self) -> g711.Law | None:
        """The law by which samples are companded; None for PCM s16le."""
        return _LAWS.get(self)

    @property
    def rate(self) -> int:
        """Samples a second, in hertz."""
        return PCM_RATE if self.law is None else g711.SAMPLE_RATE

    @property
    def sample_bytes(self) -> int:
        """Bytes a sample."""
        return BYTES_PER_SAMPLE if self.law is None else 1


_LAWS = {AudioFormat.PCMU: g711.Law.MU, AudioFormat.PCMA: g711.Law.A}


class Decoder:
    """A client's audio as PCM s16le at the fleet's rate; the output does not depend on the pieces."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self.format = audio_format
        self._resampler = Resampler(audio_format.rate, SAMPLE_RATE)

    def push(self, audio: bytes) -> bytes:
        """The PCM that `audio`, whole samples, makes possible."""
        law = self.format.law
        return self._resampler.push(audio if law is None else g711.decode(audio, law))

    def flush(self) -> bytes:
        """What is still held back."""
        return self._resampler.flush()


class Encoder:
    """A reply's PCM s16le at `source_hz` in a client's format; the output does not depend on the pieces."""

    def __init__(self, audio_format: AudioFormat, source_hz: int) -> None:
        self._law = audio_format.law
        self._resampler = Resampler(source_hz, audio_format.rate)

    def push(self, pcm: bytes) -> bytes:
        """The audio that `pcm`, whole samples, makes possible."""
        return self._companded(self._resampler.push(pcm))

    def flush(self) -> bytes:
        """What is still held back."""
        return self._companded(self._resampler.flush())

    def _companded(self, pcm: bytes) -> bytes:
        return pcm if self._law is None else g711.encode(pcm, self._law)
