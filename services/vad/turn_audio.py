"""What the end-of-turn model hears: the last seconds of the person's turn, earlier sentences of it included. Pure."""

from chassis.audio import RingBuffer, ms_to_samples
from services.vad.gate import SpeechEvent, SpeechStarted

LEAD = ms_to_samples(300)
"""Samples before the first speech that the model also hears: the gate notices soft onsets late."""


class TurnAudio:
    """The session's last `capacity` samples, and where in them the turn began.

    The gate knows no turns, only speech, so speech after more than `turn_gap` samples of silence counts as a new turn.
    """

    def __init__(self, capacity: int, turn_gap: int, start_offset: int = 0) -> None:
        self._ring = RingBuffer(capacity, start_offset)
        self._turn_gap = turn_gap
        self._turn_start: int | None = None
        self._last_stop = start_offset

    def write(self, pcm: bytes) -> None:
        """Appends PCM s16le."""
        self._ring.write(pcm)

    def note(self, event: SpeechEvent) -> None:
        """Takes what the gate decided, in its order."""
        if not isinstance(event, SpeechStarted):
            self._last_stop = event.offset
        elif self._turn_start is None or event.offset - self._last_stop > self._turn_gap:
            self._turn_start = event.offset

    def read(self) -> bytes:
        """The turn so far, from `LEAD` before its first speech, as PCM s16le; its last `capacity` samples if longer."""
        start = self._ring.start if self._turn_start is None else self._turn_start - LEAD
        return self._ring.read(start, self._ring.end)
