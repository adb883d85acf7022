"""What waits to be played, and which sample of it is in the air now."""

import threading
from collections import deque
from dataclasses import dataclass

from chassis.resampling import Resampler
from client.sound.loudspeaker import Position
from client.turns import SAMPLE_RATE

_MAX_S = 60.0
_MAX_SEGMENTS = 1024
"""Blocks on their way to the air that are remembered: over five seconds of the smallest ones."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """Frames that the device got: of which item, from which of its frames on, and when the first is in the air."""

    item_id: str
    start: int
    frames: int
    at: float


class PlaybackBuffer:
    """Replies, PCM s16le 24 kHz mono, filled by the event loop, emptied by the audio thread at `rate` Hz.

    At most 60 s long. Both sides hold its lock for moments only. Instants are seconds of the device's clock.
    """

    def __init__(self, rate: int = SAMPLE_RATE) -> None:
        self._rate = rate
        self._resampler = Resampler(SAMPLE_RATE, rate)
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._held = False
        self._item_id = ""
        self._pulled = 0  # frames of that item
        self._segments: deque[_Segment] = deque(maxlen=_MAX_SEGMENTS)
        self.dropped_s = 0.0
        """What did not fit and was never heard, in seconds."""
        self.underflows = 0
        """How often the device was not given audio in time while a reply was played."""

    def push(self, pcm: bytes, item_id: str = "") -> None:
        """Appends audio of an item; what is over 60 s is dropped and counted."""
        resampled = self._resampler.push(pcm)
        with self._lock:
            room = 2 * round(_MAX_S * self._rate) - self._waiting_bytes
            kept = resampled[:room]
            if kept:
                self._waiting.append((item_id, kept))
            self._waiting_bytes += len(kept)
            self.dropped_s += (len(resampled) - len(kept)) / 2 / self._rate

    def pull(self, size: int, heard_at: float, *, underflow: bool = False) -> bytes:
        """The next `size` bytes, the first of them heard at `heard_at`; silence where there are none or all is held."""
        pcm = bytearray()
        with self._lock:
            self.underflows += underflow and bool(self._waiting)
            while self._waiting and len(pcm) < size and not self._held:
                item_id, waiting = self._waiting.popleft()
                taken = waiting[: size - len(pcm)]
                if len(taken) < len(waiting):
                    self._waiting.appendleft((item_id, waiting[len(taken) :]))
                if item_id != self._item_id:
                    self._item_id, self._pulled = item_id, 0
                at = heard_at + len(pcm) / 2 / self._rate
                self._segments.append(_Segment(item_id, self._pulled, len(taken) // 2, at))
                pcm += taken
                self._pulled += len(taken) // 2
                self._waiting_bytes -= len(taken)
        return bytes(pcm.ljust(size, b"\0"))

    def flush(self) -> None:
        """Forgets all that was not yet played, and holds nothing any more."""
        with self._lock:
            self._waiting.clear()
            self._waiting_bytes = 0
            self._held = False
            self._resampler.flush()

    def hold(self) -> None:
        """Silence until `resume` or `flush`."""
        with self._lock:
            self._held = True

    def resume(self) -> None:
        """Goes on where it was held."""
        with self._lock:
            self._held = False

    def position(self, now: float) -> Position | None:
        """How much of the item that is played has been heard; None where nothing is left to be heard.

        Time in which the device had nothing to play moves nothing.
        """
        with self._lock:
            while len(self._segments) > 1 and self._segments[1].at <= now:
                self._segments.popleft()
            latest = self._segments[0] if self._segments else None
            heard = 0
            if latest is not None:
                heard = min(latest.frames, max(0, round((now - latest.at) * self._rate)))
                if heard == latest.frames and len(self._segments) == 1:
                    if not self._waiting:
                        return None
                    if self._waiting[0][0] != latest.item_id:
                        return Position(self._waiting[0][0], 0.0, playing=not self._held)
                return Position(latest.item_id, (latest.start + heard) / self._rate * 1000, playing=not self._held)
            if not self._waiting:
                return None
            return Position(self._waiting[0][0], 0.0, playing=not self._held)
