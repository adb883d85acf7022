"""Where audio that carries a header lies in time. Pure; all lengths in samples at 16 kHz."""

from dataclasses import dataclass

from services.orchestrator.edge.plain.framing import Header, distance


@dataclass(frozen=True, slots=True)
class Placement:
    """What to do with one frame.

    `silence` samples come before it, `skipped` more are missing there and not made up for; its first `known` samples
    are there already. `is_old`: its sequence number, or one behind it, was there before.
    """

    silence: int = 0
    skipped: int = 0
    known: int = 0
    is_old: bool = False


class Timeline:
    """Places frames behind one another by their timestamps; the first one begins it.

    A gap of up to `max_gap` samples becomes silence. A frame whose sequence number is not behind that of the last one
    was sent twice and is left out whole, whatever its timestamp; of one that overlaps what is there the known part is
    left out. Numbers may wrap around; of a jump by half their range or more the shorter way counts, which is back.
    """

    def __init__(self, max_gap: int) -> None:
        self._max_gap = max_gap
        self._next: Header | None = None

    def place(self, header: Header, samples: int) -> Placement:
        """Takes a frame of `samples` samples."""
        if self._next is None:
            self._expect(header, samples)
            return Placement()
        if distance(header.sequence, self._next.sequence) < 0:
            return Placement(known=samples, is_old=True)
        gap = distance(header.timestamp, self._next.timestamp)
        if gap < -samples:
            # Far behind what is there: the timeline does not go back with it.
            self._next = Header(header.sequence + 1, self._next.timestamp)
            return Placement(known=samples)
        self._expect(header, samples)
        if gap < 0:
            return Placement(known=-gap)
        silence = min(gap, self._max_gap)
        return Placement(silence=silence, skipped=gap - silence)

    def _expect(self, header: Header, samples: int) -> None:
        self._next = Header(header.sequence + 1, header.timestamp + samples)
