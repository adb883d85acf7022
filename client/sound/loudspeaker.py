"""Where a loudspeaker is in the replies that it plays, as the server may be told, and a simulated one. Pure.

Instants are seconds on any one monotonic clock. Audio is PCM s16le, 24 kHz, mono.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from client.turns import SAMPLE_RATE

_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class Position:
    """`audio_ms` milliseconds of the conversation item `item_id` have been played; whether the loudspeaker goes on."""

    item_id: str
    audio_ms: float
    playing: bool


@dataclass(slots=True)
class _Played:
    """What was heard of one item, and when the last of it was."""

    pcm: bytearray = field(default_factory=bytearray)
    until: float | None = None


class SimulatedLoudspeaker:
    """Plays what it gets in order and without a gap, `delay_s` later than it could, as a jitter buffer does.

    The delay counts again after it ran dry. The last four items are remembered. Call with instants that do not go back.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._next_at = 0.0  # when the first sample that waits is played
        self._held = False
        self._played: OrderedDict[str, _Played] = OrderedDict()

    def push(self, item_id: str, pcm: bytes, now: float) -> None:
        """The next audio, of this item."""
        self._advance(now)
        if not self._waiting:
            self._next_at = max(self._next_at, now + self._delay_s)
        self._waiting.append((item_id, pcm))
        self._item(item_id)

    def hold(self, now: float) -> None:
        """Stands still until `resume` or `flush`."""
        self._advance(now)
        self._held = True

    def resume(self, now: float) -> None:
        """Goes on where it stood."""
        self._advance(now)
        self._held = False

    def flush(self, now: float) -> None:
        """Forgets what was not yet played, and is not held any more."""
        self._advance(now)
        self._waiting.clear()
        self._next_at = now
        self._held = False

    def position(self, now: float) -> Position | None:
        """Where it is; None where nothing waits to be played."""
        self._advance(now)
        if not self._waiting:
            return None
        item_id = self._waiting[0][0]
        played_ms = len(self._item(item_id).pcm) / 2 / SAMPLE_RATE * 1000
        return Position(item_id, played_ms, playing=not self._held)

    def heard(self, item_id: str, now: float) -> bytes:
        """The audio of an item that was played."""
        self._advance(now)
        return bytes(self._played[item_id].pcm) if item_id in self._played else b""

    def silent_since(self, item_id: str, now: float) -> float | None:
        """When the last sample of an item so far was played; None where none was."""
        self._advance(now)
        return self._played[item_id].until if item_id in self._played else None

    def _advance(self, now: float) -> None:
        if self._held:
            self._next_at = max(self._next_at, now)
            return
        while self._waiting and self._next_at < now:
            item_id, pcm = self._waiting.popleft()
            due = 2 * int((now - self._next_at) * SAMPLE_RATE + 1e-3)
            played = self._item(item_id)
            played.pcm += pcm[:due]
            if due < len(pcm):
                self._waiting.appendleft((item_id, pcm[due:]))
            if not due:
                return
            self._next_at += min(due, len(pcm)) / 2 / SAMPLE_RATE
            played.until = self._next_at

    def _item(self, item_id: str) -> _Played:
        played = self._played.setdefault(item_id, _Played())
        if len(self._played) > _REMEMBERED:
            self._played.popitem(last=False)
        return played
