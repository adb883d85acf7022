"""What a client sent and the session has not taken: audio in frames, and commands about the audio before them. Pure."""

from collections import deque
from enum import Enum, auto

from chassis.audio import BYTES_PER_SAMPLE, ms_to_samples

FRAME = ms_to_samples(20)
"""Samples that are handed on at once; fewer only before a command."""
MAX_COMMANDS = 16
_FRAME_BYTES = FRAME * BYTES_PER_SAMPLE


class Command(Enum):
    """What the client says about the audio before it."""

    COMMIT = auto()
    CLEAR = auto()


class TooManyCommandsError(Exception):
    """More than `MAX_COMMANDS` wait."""


class InputQueue:
    """First in, first out. Holds at most `capacity` samples; what is too much costs the oldest of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._queue: deque[bytes | Command] = deque()
        self._tail = bytearray()
        self._commands = 0
        self.waiting = 0
        """Samples in the queue."""

    def write(self, pcm: bytes) -> int:
        """Adds whole samples of PCM s16le; returns how many samples gave way."""
        before = self.waiting
        self.waiting += len(pcm) // BYTES_PER_SAMPLE
        self._tail += pcm
        whole = len(self._tail) // _FRAME_BYTES * _FRAME_BYTES
        self._queue.extend(bytes(self._tail[at : at + _FRAME_BYTES]) for at in range(0, whole, _FRAME_BYTES))
        del self._tail[:whole]
        while self.waiting > self._capacity:
            self._drop_oldest()
        return before + len(pcm) // BYTES_PER_SAMPLE - self.waiting

    def command(self, command: Command) -> None:
        """Adds a command behind all audio so far. Raises TooManyCommandsError."""
        if self._commands == MAX_COMMANDS:
            raise TooManyCommandsError
        if command is Command.CLEAR:
            self._discard_newest()
        elif self._tail:
            self._queue.append(bytes(self._tail))
            self._tail.clear()
        self._queue.append(command)
        self._commands += 1

    def take(self) -> bytes | Command | None:
        """The oldest frame or command; None while there is none that is complete."""
        if not self._queue:
            return None
        taken = self._queue.popleft()
        if isinstance(taken, Command):
            self._commands -= 1
        else:
            self.waiting -= len(taken) // BYTES_PER_SAMPLE
        return taken

    def _discard_newest(self) -> None:
        """Forgets the audio since the last command."""
        self.waiting -= len(self._tail) // BYTES_PER_SAMPLE
        self._tail.clear()
        while self._queue and isinstance(newest := self._queue[-1], bytes):
            self._queue.pop()
            self.waiting -= len(newest) // BYTES_PER_SAMPLE

    def _drop_oldest(self) -> None:
        for at, held in enumerate(self._queue):
            if isinstance(held, bytes):
                del self._queue[at]
                self.waiting -= len(held) // BYTES_PER_SAMPLE
                return
