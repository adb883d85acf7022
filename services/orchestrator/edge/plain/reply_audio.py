"""A reply's audio as binary frames of the plain protocol. Pure."""

from chassis.audio import BYTES_PER_SAMPLE
from chassis.resampling import Resampler
from services.orchestrator.edge.plain.framing import Framing, Header
from services.orchestrator.edge.plain.messages import OUTPUT_RATE


class ReplyAudio:
    """Resamples and numbers. Sequence numbers count the connection's frames, timestamps the reply's samples."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._resampler = Resampler(OUTPUT_RATE, OUTPUT_RATE)
        self._sequence = 0
        self._position = 0

    def begin(self) -> None:
        """Another reply begins."""
        self._resampler = Resampler(self._resampler.source_hz, OUTPUT_RATE)
        self._position = 0

    def push(self, pcm: bytes, rate: int) -> list[bytes]:
        """The frames that PCM s16le mono at `rate` hertz makes possible."""
        if rate != self._resampler.source_hz:
            self._resampler = Resampler(rate, OUTPUT_RATE)
        return self._framed(self._resampler.push(pcm))

    def finish(self) -> list[bytes]:
        """What the resampler still holds: the end of a reply that was spoken to its end."""
        return self._framed(self._resampler.flush())

    def _framed(self, pcm: bytes) -> list[bytes]:
        if not pcm:
            return []
        header = Header(self._sequence, self._position)
        self._sequence += 1
        self._position += len(pcm) // BYTES_PER_SAMPLE
        return [pcm if self._framing is Framing.RAW else header.pack() + pcm]
