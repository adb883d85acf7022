"""The sound devices of this machine, and the rate at which one is best used, through `sounddevice` (PortAudio)."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from client.sound.speech import SpeechError
from client.turns import SAMPLE_RATE

INPUT_RATES: Sequence[int] = (SAMPLE_RATE, 16_000)
"""Rates that a microphone is asked for before its own: that of the protocol, and that which the fleet hears at."""
OUTPUT_RATES: Sequence[int] = (SAMPLE_RATE,)


@dataclass(frozen=True, slots=True)
class Device:
    """One device as PortAudio tells of it; channels are 0 where it cannot record or play, the rate is in hertz."""

    index: int
    name: str
    system: str
    inputs: int
    outputs: int
    own_rate: int
    default_input: bool
    default_output: bool


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


def parse_device(text: str | None) -> int | str | None:
    """A device as a person names it: its index, a part of its name, or None for the default."""
    return int(text) if text is not None and text.isdecimal() else text


def devices(sounddevice: ModuleType) -> list[Device]:
    """All devices, in PortAudio's order. Blocks. Raises SpeechError where the sound system does not answer."""
    try:
        systems: Sequence[Mapping[str, Any]] = sounddevice.query_hostapis()
        default_input, default_output = sounddevice.default.device
        return [
            Device(
                index=index,
                name=found["name"],
                system=systems[found["hostapi"]]["name"],
                inputs=found["max_input_channels"],
                outputs=found["max_output_channels"],
                own_rate=round(found["default_samplerate"]),
                default_input=index == default_input,
                default_output=index == default_output,
            )
            for index, found in enumerate(sounddevice.query_devices())
        ]
    except sounddevice.PortAudioError as error:
        raise SpeechError(f"the sound system does not answer: {error}") from error


def find_device(sounddevice: ModuleType, kind: str, wanted: int | str | None) -> Device:
    """The device of a kind, `input` or `output`. Blocks. Raises SpeechError that says what there is instead."""
    found = [device for device in devices(sounddevice) if (device.inputs if kind == "input" else device.outputs)]
    what = "microphone" if kind == "input" else "loudspeaker"
    if not found:
        raise SpeechError(f"this machine has no {what}")
    if wanted is None:
        chosen = [device for device in found if (device.default_input if kind == "input" else device.default_output)]
        return chosen[0] if chosen else found[0]
    if isinstance(wanted, int):
        chosen = [device for device in found if device.index == wanted]
    else:
        exact = [device for device in found if device.name.lower() == wanted.lower()]
        chosen = exact or [device for device in found if wanted.lower() in device.name.lower()]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(f"{device.index} {device.name}" for device in chosen or found)
    problem = "is the name of several" if chosen else "is no such device"
    raise SpeechError(f"{what} {wanted!r} {problem}; expected one of: {names}")


def usable_rate(sounddevice: ModuleType, kind: str, device: Device) -> int:
    """The rate at which to open a device, mono PCM s16le. Blocks. Raises SpeechError where it cannot do that at all."""
    check = sounddevice.check_input_settings if kind == "input" else sounddevice.check_output_settings
    refusals: list[str] = []

    def accepts(rate: int) -> bool:
        try:
            check(device=device.index, channels=1, dtype="int16", samplerate=rate)
        except sounddevice.PortAudioError as error:
            refusals.append(str(error))
            return False
        return True

    rate = choose_rate(accepts, INPUT_RATES if kind == "input" else OUTPUT_RATES, device.own_rate)
    if rate is None:
        raise SpeechError(f"{device.name} cannot be used: {refusals[-1]}")
    return rate


def choose_rate(accepts: Callable[[int], bool], wanted: Sequence[int], own: int) -> int | None:
    """The first of the `wanted` rates that a device accepts, else its own; None where it does not accept even that."""
    return next((rate for rate in dict.fromkeys((*wanted, own)) if accepts(rate)), None)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keeps what ALSA and PortAudio write to standard error off the screen; what fails is raised as well."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
