"""Microphone and loudspeaker of this machine while a conversation lasts."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from types import ModuleType
from typing import Any

from client.sound.capture import Microphone
from client.sound.devices import Device, find_device, quiet_libraries, usable_rate
from client.sound.loudspeaker import Position
from client.sound.playback import PlaybackBuffer
from client.sound.speech import SpeechError

SILENT_S = 5.0
"""A device that has neither brought nor taken audio for so long is gone: unplugged, or its sound system has ended."""
_LOOK_EVERY_S = 0.5
_CLOSE_S = 3.0
_MAX_LATENCY_S = 5.0
log = logging.getLogger(__name__)


class DeviceLostError(SpeechError):
    """A device went away while it was used."""


class _Stream:
    """One open stream: what its device is, and whether it still lives."""

    def __init__(self, what: str, device: Device, rate: int) -> None:
        self.what = what
        self.device = device
        self.rate = rate
        self.stream: Any = None
        self.finished = False
        self._seen_at = time.monotonic()

    def seen(self) -> None:
        """The device called."""
        self._seen_at = time.monotonic()

    def check(self) -> None:
        """Raises DeviceLostError."""
        if self.finished or time.monotonic() - self._seen_at > SILENT_S:
            raise DeviceLostError(
                f"the {self.what} is gone: {self.device.name}; `voxfleet talk --list-devices` shows what there is"
            )

    @property
    def description(self) -> str:
        """Name, rate and latency."""
        return f"{self.device.name}, {self.rate / 1000:g} kHz, {self.stream.latency * 1000:.0f} ms"


class Audio:
    """An open microphone and an open loudspeaker. Made by `open_audio`."""

    def __init__(self, microphone: Microphone, playback: PlaybackBuffer, recorder: _Stream, player: _Stream) -> None:
        self.microphone = microphone
        self.playback = playback
        self._streams = (recorder, player)
        self._player = player
        self.input, self.output = recorder.description, player.description

    def position(self) -> Position | None:
        """Where the loudspeaker is, by its device's own clock."""
        return self.playback.position(self._player.stream.time)

    async def watch(self) -> None:
        """Until cancelled; raises DeviceLostError when a device is gone."""
        while True:
            for stream in self._streams:
                stream.check()
            await asyncio.sleep(_LOOK_EVERY_S)


@asynccontextmanager
async def open_audio(
    sounddevice: ModuleType, *, input_device: int | str | None = None, output_device: int | str | None = None
) -> AsyncIterator[Audio]:
    """Records and plays inside the block, at 24 kHz where the devices can. Raises SpeechError without such devices."""
    loop = asyncio.get_running_loop()
    streams = ExitStack()
    # Sound systems take their time to open and close a device.
    chosen = await asyncio.to_thread(_choose, sounddevice, input_device, output_device)
    recorder, player = chosen
    microphone, playback = Microphone(recorder.rate), PlaybackBuffer(player.rate)
    with quiet_libraries():
        try:
            await asyncio.to_thread(_open, sounddevice, streams, microphone, playback, recorder, player)
            yield Audio(microphone, playback, recorder, player)
        except sounddevice.PortAudioError as error:
            raise SpeechError(f"no microphone or loudspeaker: {error}") from error
        finally:
            await _in_a_thread_of_its_own(loop, streams.close)


def _choose(sounddevice: ModuleType, input_device: int | str | None, output_device: int | str | None) -> list[_Stream]:
    with quiet_libraries():
        found = []
        for what, kind, wanted in (
            ("microphone", "input", input_device),
            ("loudspeaker", "output", output_device),
        ):
            device = find_device(sounddevice, kind, wanted)
            found.append(_Stream(what, device, usable_rate(sounddevice, kind, device)))
        return found


def _open(
    sounddevice: ModuleType,
    streams: ExitStack,
    microphone: Microphone,
    playback: PlaybackBuffer,
    recorder: _Stream,
    player: _Stream,
) -> None:
    def record(data: Any, frames: int, times: Any, status: Any) -> None:
        recorder.seen()
        microphone.record(bytes(data), times.inputBufferAdcTime, overflow=status.input_overflow)

    def play(out: Any, frames: int, times: Any, status: Any) -> None:
        player.seen()
        now = times.currentTime or player.stream.time
        heard_at = times.outputBufferDacTime
        if not now <= heard_at <= now + _MAX_LATENCY_S:
            # Some sound systems do not say, or say nonsense.
            heard_at = now + player.stream.latency
        out[:] = playback.pull(len(out), heard_at, underflow=status.output_underflow)

    for opened, make, callback in (
        (recorder, sounddevice.RawInputStream, record),
        (player, sounddevice.RawOutputStream, play),
    ):
        opened.stream = make(
            device=opened.device.index,
            samplerate=opened.rate,
            channels=1,
            dtype="int16",
            blocksize=block_frames(opened.rate),
            latency="low",
            callback=callback,
            finished_callback=lambda opened=opened: setattr(opened, "finished", True),
        )
    for opened in (recorder, player):
        streams.enter_context(opened.stream)
        opened.seen()


def block_frames(rate: int) -> int:
    """Frames of one block at `rate` Hz: 5 to 11 ms."""
    return 256 if rate >= 24_000 else 128


async def _in_a_thread_of_its_own(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    """Runs `work` for at most 3 s: closing a device that is gone can take for ever, and the program has to end."""
    done = asyncio.Event()

    def run() -> None:
        try:
            work()
        except Exception as error:
            log.warning("a sound device could not be closed", extra={"reason": str(error)})
        # The loop is closed where nobody waited so long.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="closing-audio", daemon=True).start()
    try:
        async with asyncio.timeout(_CLOSE_S):
            await done.wait()
    except TimeoutError:
        log.warning("a sound device could not be closed in time")
