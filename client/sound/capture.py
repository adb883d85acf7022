"""What a microphone records, on its way from the audio thread to the event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import numpy as np

from chassis.audio import Int16
from chassis.resampling import Resampler
from client.speaking import BLOCK_BYTES
from client.turns import SAMPLE_RATE

_MAX_WAITING_S = 1.0
"""What the network may be late; then the oldest audio is dropped."""
_MAX_GAP_S = 2.0


class InputClock:
    """How much audio a device has lost, by the instants at which it says that it recorded: pure."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next_at: float | None = None

    def missing(self, frames: int, recorded_at: float, *, overflow: bool) -> int:
        """Frames missing before a block of `frames` whose first was recorded at `recorded_at` (seconds; 0: unknown).

        None but after an `overflow`, because the clocks of sound systems jitter; at most 2 s.
        """
        expected, self._next_at = self._next_at, recorded_at + frames / self._rate
        if not overflow:
            return 0
        if expected is None or not recorded_at:
            return frames
        return round(min(max(recorded_at - expected, 0.0), _MAX_GAP_S) * self._rate)


class Microphone:
    """Blocks of 20 ms, PCM s16le 24 kHz mono, out of what a device records at `rate` Hz.

    Where nobody takes them, the oldest are dropped after a second. Silence stands for what the device has lost.
    """

    def __init__(self, rate: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = InputClock(rate)
        self._resampler = Resampler(rate, SAMPLE_RATE)
        self._rate = rate
        self._waiting: deque[tuple[int, bytes]] = deque()  # frames missing before, audio
        self._max_bytes = 2 * round(_MAX_WAITING_S * rate)
        self._woken = False
        self._filled = asyncio.Event()
        self.muted = False
        """Whether silence is sent in the place of what is heard."""
        self.peak = 0.0
        """Loudest sample of the last 20 ms, from 0 to 1."""
        self.overflows = 0
        """How often the device has lost audio."""
        self.dropped_s = 0.0
        """Audio that was never sent, in seconds."""

    def record(self, pcm: bytes, recorded_at: float, *, overflow: bool) -> None:
        """Takes a block from the device. For the audio thread: it neither waits nor resamples."""
        missing = self._clock.missing(len(pcm) // 2, recorded_at, overflow=overflow)
        self.overflows += overflow
        self._waiting.append((missing, pcm))
        while len(self._waiting) * len(pcm) > self._max_bytes:
            _, oldest = self._waiting.popleft()
            self.dropped_s += len(oldest) / 2 / self._rate
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._filled.set)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Blocks as they come, without end."""
        ready = bytearray()
        while True:
            await self._filled.wait()
            self._filled.clear()
            self._woken = False
            while self._waiting:
                missing, pcm = self._waiting.popleft()
                ready += self._resampler.push(bytes(2 * missing) + pcm)
                while len(ready) >= BLOCK_BYTES:
                    block = bytes(ready[:BLOCK_BYTES])
                    del ready[:BLOCK_BYTES]
                    samples: Int16 = np.frombuffer(block, "<i2")
                    self.peak = float(np.abs(samples.astype(np.float32)).max()) / 32_768
                    yield bytes(BLOCK_BYTES) if self.muted else block
