"""Microphone and loudspeaker of this machine, through the optional package `sounddevice` (PortAudio).

Audio is PCM s16le, 24 kHz, mono.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from types import ModuleType

from client.loudspeaker import Position
from client.realtime import BLOCK_BYTES
from client.speech import SpeechError
from client.turns import BYTES_PER_SECOND, SAMPLE_RATE

_MAX_WAITING_BLOCKS = 50
"""One second that the network may be late; then the oldest blocks are dropped."""
_MAX_PLAYBACK_BYTES = 60 * BYTES_PER_SECOND


def load_sounddevice() -> ModuleType:
    """The package, with PortAudio behind it; blocks while it loads. Raises SpeechError that says what to install."""
    try:
        import sounddevice
    except ImportError as error:
        raise SpeechError("the microphone needs a package: pip install 'voxfleet[microphone]'") from error
    except OSError as error:
        raise SpeechError(f"the microphone needs PortAudio ({error}); on Debian: apt install libportaudio2") from error
    module: ModuleType = sounddevice
    return module


class PlaybackBuffer:
    """What waits to be played, filled by the event loop, emptied by the audio thread, at most 60 s long."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._held = False
        self._item_id = ""
        self._pulled_bytes = 0  # of that item
        self.latency_s = 0.0
        """Time from `pull` to the air, as the device has it."""
        self.dropped_bytes = 0
        """What did not fit and was never heard."""

    def push(self, pcm: bytes, item_id: str = "") -> None:
        """Appends audio of an item; what is over 60 s is dropped and counted."""
        with self._lock:
            kept = pcm[: _MAX_PLAYBACK_BYTES - self._waiting_bytes]
            if kept:
                self._waiting.append((item_id, kept))
            self._waiting_bytes += len(kept)
            self.dropped_bytes += len(pcm) - len(kept)

    def pull(self, size: int) -> bytes:
        """The next `size` bytes, silence where there are none or all is held."""
        pcm = bytearray()
        with self._lock:
            while self._waiting and len(pcm) < size and not self._held:
                item_id, waiting = self._waiting.popleft()
                taken = waiting[: size - len(pcm)]
                if len(taken) < len(waiting):
                    self._waiting.appendleft((item_id, waiting[len(taken) :]))
                if item_id != self._item_id:
                    self._item_id, self._pulled_bytes = item_id, 0
                pcm += taken
                self._pulled_bytes += len(taken)
                self._waiting_bytes -= len(taken)
        return bytes(pcm.ljust(size, b"\0"))

    def flush(self) -> None:
        """Forgets all that was not yet played, and holds nothing any more."""
        with self._lock:
            self._waiting.clear()
            self._waiting_bytes = 0
            self._held = False

    def hold(self) -> None:
        """Silence until `resume` or `flush`."""
        with self._lock:
            self._held = True

    def resume(self) -> None:
        """Goes on where it was held."""
        with self._lock:
            self._held = False

    def position(self) -> Position | None:
        """How much of the item that is played can have been heard; None where nothing waits."""
        with self._lock:
            if not self._waiting:
                return None
            item_id, _ = self._waiting[0]
            pulled_s = self._pulled_bytes / BYTES_PER_SECOND if item_id == self._item_id else 0.0
            return Position(item_id, max(0.0, pulled_s - self.latency_s) * 1000, playing=not self._held)


class BlockQueue:
    """Blocks of 20 ms from the audio thread to the event loop; where nobody takes them, the oldest are dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._blocks: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self.dropped = 0
        """Blocks that were never sent."""

    def push(self, block: bytes) -> None:
        """Adds a block, from any thread."""
        self._loop.call_soon_threadsafe(self._add, block)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Blocks as they come, without end."""
        while True:
            await self._filled.wait()
            yield self._blocks.popleft()
            if not self._blocks:
                self._filled.clear()

    def _add(self, block: bytes) -> None:
        if len(self._blocks) >= _MAX_WAITING_BLOCKS:
            self._blocks.popleft()
            self.dropped += 1
        self._blocks.append(block)
        self._filled.set()


@asynccontextmanager
async def open_audio(sounddevice: ModuleType, microphone: BlockQueue, playback: PlaybackBuffer) -> AsyncIterator[None]:
    """Records into `microphone` and plays from `playback` inside the block. Raises SpeechError without such devices."""

    def record(data: bytes, frames: int, time: object, status: object) -> None:
        microphone.push(bytes(data))

    def play(out: memoryview, frames: int, time: object, status: object) -> None:
        out[:] = playback.pull(len(out))

    form = {"samplerate": SAMPLE_RATE, "channels": 1, "dtype": "int16", "blocksize": BLOCK_BYTES // 2}

    def open_devices(devices: ExitStack) -> None:
        devices.enter_context(sounddevice.RawInputStream(callback=record, **form))
        output = devices.enter_context(sounddevice.RawOutputStream(callback=play, **form))
        playback.latency_s = output.latency

    devices = ExitStack()
    try:
        # Sound systems take their time to open and close a device.
        await asyncio.to_thread(open_devices, devices)
        yield
    except sounddevice.PortAudioError as error:
        raise SpeechError(f"no microphone or loudspeaker: {error}") from error
    finally:
        await asyncio.to_thread(devices.close)
