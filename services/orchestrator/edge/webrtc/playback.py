"""The audio that is on its way to one peer: a frame every 20 ms, of the reply or of silence. Pure.

Knows to the sample how much of a reply has left. Bounded: the session sends at the pace of playback, so more than
`max_waiting_s` waits only where that pace is broken, and then the oldest gives way.
"""

from collections import deque
from dataclasses import dataclass, field

from services.orchestrator.edge.webrtc.opus import FRAME, RATE


@dataclass(slots=True)
class _Clip:
    """One reply's audio."""

    response_id: str
    item_id: str
    waiting: bytearray = field(default_factory=bytearray)
    played: int = 0  # samples
    began: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """`audio_ms` of the reply `item_id` have been played, and it goes on (`playing`) or stands still."""

    response_id: str
    item_id: str
    audio_ms: float
    playing: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms: PCM s16le at 48 kHz, None for silence. `began` and `ended` are responses whose first audio is in it, or
    whose last was in the one before."""

    pcm: bytes | None
    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


class Playback:
    """Replies one after the other, in the order in which they began to be heard of."""

    def __init__(self, max_waiting_s: float = 5.0) -> None:
        self._clips: deque[_Clip] = deque()
        self._max_bytes = int(max_waiting_s * RATE) * 2
        self._held = False

    @property
    def responses(self) -> list[str]:
        """The responses of which something waits or is being played."""
        return [clip.response_id for clip in self._clips]

    @property
    def position(self) -> Position | None:
        """Where the reply is that is being played; None where none is, or nothing of it has been yet."""
        clip = self._clips[0] if self._clips else None
        if clip is None or not clip.began:
            return None
        return Position(clip.response_id, clip.item_id, clip.played * 1000 / RATE, not self._held)

    def append(self, response_id: str, item_id: str, pcm: bytes) -> int:
        """Adds PCM of a reply; how many samples had to give way for it."""
        clip = next((clip for clip in self._clips if clip.response_id == response_id), None)
        if clip is None:
            clip = _Clip(response_id, item_id)
            self._clips.append(clip)
        clip.waiting += pcm
        excess = max(0, len(clip.waiting) - self._max_bytes)
        del clip.waiting[:excess]
        clip.played += excess // 2
        return excess // 2

    def finish(self, response_id: str) -> None:
        """There is no more audio of a reply."""
        for clip in self._clips:
            clip.whole |= clip.response_id == response_id

    def hold(self) -> None:
        """Plays silence until `resume`, and keeps what waits."""
        self._held = True

    def resume(self) -> None:
        """Goes on where `hold` stopped."""
        self._held = False

    def clear(self, response_id: str) -> float | None:
        """Throws away what waits of a reply; the milliseconds that were played where its beginning was and its end was
        not, else None."""
        clip = next((clip for clip in self._clips if clip.response_id == response_id), None)
        if clip is None:
            return None
        self._clips.remove(clip)
        return clip.played * 1000 / RATE if clip.began else None

    def take(self) -> Frame:
        """The next 20 ms."""
        if self._held:
            return Frame(None)
        ended: list[str] = []
        while self._clips:
            clip = self._clips[0]
            if clip.whole and not clip.waiting:
                self._clips.popleft()
                ended += [clip.response_id] if clip.began else []
                continue
            if not clip.whole and len(clip.waiting) < 2 * FRAME:
                break  # half a frame would be heard as a click; the rest of it is on its way
            began = () if clip.began else (clip.response_id,)
            clip.began = True
            pcm = bytes(clip.waiting[: 2 * FRAME])
            del clip.waiting[: 2 * FRAME]
            clip.played += len(pcm) // 2
            return Frame(pcm.ljust(2 * FRAME, b"\0"), began, tuple(ended))
        return Frame(None, ended=tuple(ended))
