"""Packets of one RTP stream, put in order without waiting for what has come. Pure.

A loudspeaker needs a steady delay; a recogniser does not. So a packet that is the next one is given at once, and only
behind a gap are packets held, for as long as the missing one may still be under way.
"""

from dataclasses import dataclass

CLOCK_RATE = 48_000
"""Units of an Opus stream's RTP timestamps a second, whatever the audio's own rate (RFC 7587)."""

# How much audio may come behind a missing packet before that counts as lost.
_MAX_REORDERING = CLOCK_RATE * 40 // 1000
# A sequence number further away than this is that of a sender that has begun anew.
_MAX_STEP = 1_000


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet: `sequence` of 16 bits, `timestamp` of 32 bits in units of the clock rate, the Opus `payload`."""

    sequence: int
    timestamp: int
    payload: bytes


class JitterBuffer:
    """Takes packets as they come, gives them in order; what is late or there already is dropped and counted."""

    def __init__(self) -> None:
        self.dropped = 0
        """Packets that came too late or twice."""
        self._next: int | None = None
        self._held: dict[int, Packet] = {}

    @property
    def waits(self) -> bool:
        """Whether packets are held behind a gap."""
        return bool(self._held)

    def push(self, packet: Packet) -> list[Packet]:
        """The packets that can be given now that `packet` has come."""
        ahead = 0 if self._next is None else signed(packet.sequence - self._next, 16)
        given: list[Packet] = []
        if abs(ahead) > _MAX_STEP:
            given, ahead = self.flush(), 0
            self._next = packet.sequence
        if ahead < 0 or packet.sequence in self._held:
            self.dropped += 1
            return given
        if ahead == 0:
            self._next = packet.sequence
        self._held[packet.sequence] = packet
        given += self._in_order()
        while self._held and self._gap_is_old(packet):
            given += self._behind_gap()
        return given

    def flush(self) -> list[Packet]:
        """All that is held: what is missing does not come any more."""
        given: list[Packet] = []
        while self._held:
            given += self._behind_gap()
        return given

    def _in_order(self) -> list[Packet]:
        given: list[Packet] = []
        while self._next is not None and (packet := self._held.pop(self._next, None)) is not None:
            given.append(packet)
            self._next = (self._next + 1) & 0xFFFF
        return given

    def _behind_gap(self) -> list[Packet]:
        self._next = self._first_held()
        return self._in_order()

    def _gap_is_old(self, newest: Packet) -> bool:
        first = self._held[self._first_held()]
        return signed(newest.timestamp - first.timestamp, 32) >= _MAX_REORDERING

    def _first_held(self) -> int:
        assert self._next is not None
        expected = self._next
        return min(self._held, key=lambda sequence: (sequence - expected) & 0xFFFF)


class Timeline:
    """Where packets lie in time, by their timestamps. A gap longer than `max_gap` units counts as one of that length:
    the sender had stopped, and nobody needs to hear for how long."""

    def __init__(self, max_gap: int = 2 * CLOCK_RATE) -> None:
        self._max_gap = max_gap
        self._expected: int | None = None

    def gap_before(self, timestamp: int) -> int:
        """Units of time between the end of the last audio and `timestamp`, which may be 0 and is never less."""
        if self._expected is None:
            return 0
        return min(max(0, signed(timestamp - self._expected, 32)), self._max_gap)

    def advance(self, timestamp: int, length: int) -> None:
        """Audio of `length` units lies at `timestamp`."""
        self._expected = timestamp + length


def signed(difference: int, bits: int) -> int:
    """The difference of two counters of `bits` bits that wrap around, as the shorter way between them."""
    half = 1 << (bits - 1)
    return ((difference + half) & ((1 << bits) - 1)) - half
