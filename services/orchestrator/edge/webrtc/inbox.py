"""What a peer has said and the session has not taken yet: events as text, audio as PCM s16le at 16 kHz, in order.

Bounded twice. Audio beyond `max_audio_s`: the oldest gives way and is counted, as on a tape. Events beyond
`max_events`: the peer is taken to be flooding, because a lost event would be worse than a lost peer.
"""

import asyncio
from collections import deque

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.metrics import FRAMES_DROPPED
from services.orchestrator.edge.connection import ClientLeftError, FloodingClientError, Frame


class Inbox:
    """Filled by callbacks, emptied by one task."""

    def __init__(self, max_audio_s: float = 10.0, max_events: int = 256) -> None:
        self._frames: deque[Frame] = deque()
        self._max_audio = int(max_audio_s * SAMPLE_RATE) * BYTES_PER_SAMPLE
        self._max_events = max_events
        self._audio = 0  # bytes
        self._events = 0
        self._end: Exception | None = None
        self._changed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Takes an event or audio."""
        if self._end is not None:
            return
        self._frames.append(frame)
        self._changed.set()
        if isinstance(frame, str):
            self._events += 1
            if self._events > self._max_events:
                self.fail(FloodingClientError(f"the client left {self._max_events} events to be read at once"))
            return
        self._audio += len(frame)
        while self._audio > self._max_audio:
            self._drop_oldest_audio()

    def close(self) -> None:
        """The peer has gone; what it said last is of no use to anybody."""
        self.fail(ClientLeftError())

    async def get(self) -> Frame:
        """The oldest frame. Raises ClientLeftError, or why the peer was given up."""
        while not self._frames:
            self._changed.clear()
            if self._end is not None:
                raise self._end
            await self._changed.wait()
        frame = self._frames.popleft()
        self._count(frame)
        return frame

    def fail(self, error: Exception) -> None:
        """The peer is given up because of `error`, which `get` raises next."""
        if self._end is None:
            self._end = error
            self._frames.clear()
            self._changed.set()

    def _drop_oldest_audio(self) -> None:
        oldest = next(frame for frame in self._frames if isinstance(frame, bytes))
        self._frames.remove(oldest)
        self._count(oldest)
        FRAMES_DROPPED.labels("orchestrator", "webrtc_input").inc()

    def _count(self, frame: Frame) -> None:
        if isinstance(frame, str):
            self._events -= 1
        else:
            self._audio -= len(frame)
