"""What a client has sent and an upstream has not answered yet, to be told to another one. Pure."""

from collections import deque
from dataclasses import dataclass

APPEND = "input_audio_buffer.append"
# Asks for an answer that was given or will be asked for again, and changes nothing.
_NOT_REPEATED = "conversation.item.retrieve"
# What is kept of the silence before the first word leaves room for the words.
_SILENT_SHARE = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One client event: its number in the session, its type, the frame as it came, and when (seconds)."""

    number: int
    kind: str
    frame: str
    at: float


class ReplayLog:
    """Client events in order, at most `max_bytes` characters of them (0: none are kept)."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._max_silent_bytes = max_bytes // _SILENT_SHARE
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._numbers = 0
        self.complete = max_bytes > 0
        """Whether everything is still there. If not, a new upstream would hear half of it."""

    def add(self, kind: str, frame: str, at: float, *, silence: bool) -> int:
        """Keeps an event; returns its number.

        Of audio that is nothing but `silence` the newest quarter of `max_bytes` is kept; where the rest is too much,
        the log ends.
        """
        self._numbers += 1
        if not self.complete or kind == _NOT_REPEATED:
            return self._numbers
        self._entries.append(Entry(self._numbers, kind, frame, at))
        self._bytes += len(frame)
        if silence:
            self._drop_audio()
        if self._bytes > self._max_bytes:
            self.end()
        return self._numbers

    def after(self, number: int) -> list[Entry]:
        """The events that came after that with the number `number`; 0 for all."""
        return [entry for entry in self._entries if entry.number > number]

    def end(self) -> None:
        """Keeps nothing, from now on."""
        self.complete = False
        self._entries.clear()
        self._bytes = 0

    def _drop_audio(self) -> None:
        kept: deque[Entry] = deque()
        while self._entries and self._bytes > self._max_silent_bytes:
            entry = self._entries.popleft()
            if entry.kind == APPEND:
                self._bytes -= len(entry.frame)
            else:
                kept.append(entry)
        self._entries.extendleft(reversed(kept))
