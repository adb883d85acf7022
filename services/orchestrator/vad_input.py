"""What the VAD hears of a session: the client's audio, or that audio with less noise, at the same offsets.

Only the VAD: speech recognition does better on the audio as it was (`python -m tests.bench.noise`).
"""

import asyncio

from chassis.audio import BYTES_PER_SAMPLE, ms_to_samples
from services.orchestrator.noise_reduction import NoiseReducer, NoiseReduction
from services.orchestrator.tape import Tape

# Audio that is worked on at once, half a millisecond of work; then other sessions have their turn.
_BLOCK = ms_to_samples(20) * BYTES_PER_SAMPLE


class VadInput:
    """Follows `source`, the session's tape. Costs nothing until noise reduction is first asked for."""

    def __init__(self, source: Tape, kind: NoiseReduction | None = None) -> None:
        self._source = source
        self.tape = source
        """What the VAD reads: `source` itself, or from the first `switch` on a tape of its own."""
        self._reducer: NoiseReducer | None = None
        self.switch(kind, 0.0)

    def switch(self, kind: NoiseReduction | None, now: float) -> bool:
        """Goes on with the audio after this as `kind` says; true where `tape` is another one now."""
        if self._reducer is not None:
            self.tape.write(self._reducer.rest, now)
        self._reducer = None if kind is None else NoiseReducer(kind)
        if self._reducer is None or self.tape is not self._source:
            return False
        self.tape = Tape(start_offset=self._source.end)
        return True

    async def write(self, pcm: bytes, now: float) -> None:
        """Takes audio that `source` has just been given; gives other tasks their turn between blocks of it."""
        if self.tape is self._source:
            return
        for start in range(0, len(pcm), _BLOCK):
            if start:
                await asyncio.sleep(0)
            block = pcm[start : start + _BLOCK]
            self.tape.write(block if self._reducer is None else self._reducer.process(block), now)
