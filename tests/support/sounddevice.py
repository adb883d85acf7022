"""A scripted sound system in the place of the package `sounddevice`: the test is the device."""

import threading
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, Self

FRAMES = 256
LATENCY_S = 0.02


class ScriptedError(Exception):
    """What the sound system raises."""


class ScriptedStream:
    """One stream, and the hands of its device."""

    def __init__(self, system: "ScriptedDevices", options: dict[str, Any]) -> None:
        self._system = system
        self.device: int = options["device"]
        self.rate: int = options["samplerate"]
        self.frames: int = options["blocksize"]
        self.latency = LATENCY_S
        self.clock = 1.0
        self._callback: Callable[..., None] = options["callback"]
        self.finish: Callable[[], None] = options["finished_callback"]

    @property
    def time(self) -> float:
        """The device's clock, in seconds."""
        return self.clock

    def __enter__(self) -> Self:
        if self._system.fails is not None and self is self._system.player:
            raise self._system.fails
        self._system.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._system.stuck.wait()
        self._system.open -= 1

    def hear(self, pcm: bytes, *, overflow: bool = False) -> None:
        """The microphone heard something, from its clock's time on."""
        times = SimpleNamespace(inputBufferAdcTime=self.clock)
        self._callback(memoryview(pcm), len(pcm) // 2, times, SimpleNamespace(input_overflow=overflow))

    def play(self, *, heard_in_s: float | None = LATENCY_S, underflow: bool = False) -> bytes:
        """What the loudspeaker gets for its next block; None where it does not know when that will be heard."""
        out = bytearray(2 * self.frames)
        dac = 0.0 if heard_in_s is None else self.clock + heard_in_s
        times = SimpleNamespace(currentTime=self.clock, outputBufferDacTime=dac)
        self._callback(memoryview(out), self.frames, times, SimpleNamespace(output_underflow=underflow))
        return bytes(out)


class ScriptedDevices(ModuleType):
    """Devices that all record and play, and do the rates of `rates`; opening one may fail."""

    PortAudioError = ScriptedError

    def __init__(
        self,
        names: Sequence[str] = ("desk", "headset"),
        rates: Sequence[int] = (24_000,),
        own_rate: int = 48_000,
        fails: ScriptedError | None = None,
    ) -> None:
        super().__init__("sounddevice")
        self._names = names
        self._rates = rates
        self._own_rate = own_rate
        self.fails = fails
        self.default = SimpleNamespace(device=(0, 0))
        self.open = 0
        """Streams that are open now."""
        self.stuck = threading.Event()
        """Cleared: closing takes for ever."""
        self.stuck.set()
        self.recorder: ScriptedStream
        self.player: ScriptedStream

    def query_hostapis(self) -> list[dict[str, Any]]:
        """One sound system."""
        return [{"name": "scripted"}]

    def query_devices(self) -> list[dict[str, Any]]:
        """The devices."""
        same = {"hostapi": 0, "max_input_channels": 1, "max_output_channels": 2, "default_samplerate": self._own_rate}
        return [{"name": name} | same for name in self._names]

    def check_input_settings(self, *, samplerate: int, **_: object) -> None:
        """Raises where a device cannot do that."""
        if samplerate not in self._rates:
            raise ScriptedError("no such rate")

    check_output_settings = check_input_settings

    def RawInputStream(self, **options: Any) -> ScriptedStream:
        """A microphone."""
        self.recorder = ScriptedStream(self, options)
        return self.recorder

    def RawOutputStream(self, **options: Any) -> ScriptedStream:
        """A loudspeaker."""
        self.player = ScriptedStream(self, options)
        return self.player
