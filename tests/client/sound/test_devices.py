import builtins
import os
import sys
from types import ModuleType
from typing import Any

import pytest

from client.sound.devices import choose_rate, devices, load_sounddevice, parse_device, quiet_libraries
from client.sound.speech import SpeechError
from tests.support.sounddevice import ScriptedDevices


def test_a_missing_package_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SpeechError, match=r"pip install 'voxfleet\[microphone\]'"):
        load_sounddevice()


def test_a_missing_library_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_portaudio(name: str, *args: Any, **kwargs: Any) -> ModuleType:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real_import(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_portaudio)
    with pytest.raises(SpeechError, match=r"PortAudio library not found.*apt install libportaudio2"):
        load_sounddevice()


@pytest.mark.parametrize(("text", "device"), [(None, None), ("3", 3), ("USB mic 3", "USB mic 3")])
def test_a_device_is_named_by_its_number_or_its_name(text: str | None, device: int | str | None) -> None:
    assert parse_device(text) == device


def test_the_first_rate_that_is_accepted_is_chosen_and_the_devices_own_last() -> None:
    asked: list[int] = []

    def only_44100(rate: int) -> bool:
        asked.append(rate)
        return rate == 44_100

    assert choose_rate(only_44100, (24_000, 16_000), 44_100) == 44_100
    assert asked == [24_000, 16_000, 44_100]
    assert choose_rate(lambda rate: False, (24_000,), 24_000) is None


def test_the_defaults_are_known() -> None:
    desk, headset = devices(ScriptedDevices())
    assert (desk.default_input, desk.default_output) == (True, True)
    assert (headset.default_input, headset.default_output) == (False, False)


def test_what_a_c_library_writes_is_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_libraries():
        os.write(2, b"ALSA lib pcm.c: underrun\n")
    os.write(2, b"seen\n")
    assert capfd.readouterr().err == "seen\n"
