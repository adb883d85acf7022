"""A sound system of its own for a test: a PulseAudio daemon with virtual devices, which PortAudio sees through ALSA."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PROGRAMS = ("pulseaudio", "pactl", "pacat", "parec")
_CONFIG = """\
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name=speaker rate={speaker_rate} channels=1 format=s16le
load-module module-null-sink sink_name=room rate={microphone_rate} channels=1 format=s16le
load-module module-remap-source source_name=microphone master=room.monitor
set-default-sink speaker
set-default-source microphone
"""
# What Debian's ALSA is set up to do by itself where a PulseAudio runs, without the files of the person who tests.
_ALSA = """\
</usr/share/alsa/alsa.conf>
pcm.!default {{ type pulse server "{server}" }}
pcm.kitchen {{ type pulse server "{server}" }}
"""


def missing() -> str | None:
    """Why there can be no sound system; None where there can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"needs {', '.join(absent)} (Debian: pulseaudio pulseaudio-utils)"
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "needs ALSA's plugin for PulseAudio (Debian: libasound2-plugins)"
    if find_spec("sounddevice") is None:
        return "needs the package sounddevice (the extra `microphone`)"
    if find_library("portaudio") is None:
        return "needs PortAudio (Debian: libportaudio2)"
    return None


@dataclass(slots=True)
class Pulse:
    """A running daemon. What is played into the room is what the microphone hears."""

    environment: Mapping[str, str]
    process: asyncio.subprocess.Process

    async def say(self, pcm: bytes) -> None:
        """Plays PCM s16le 24 kHz mono into the room; returns when it is over."""
        player = await self._run("pacat", "--playback", "--device=room", *_FORMAT, stdin=asyncio.subprocess.PIPE)
        await player.communicate(pcm)

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[bytearray]:
        """What the loudspeaker plays inside the block, PCM s16le 24 kHz mono."""
        heard = bytearray()
        recorder = await self._run("parec", "--device=speaker.monitor", "--latency-msec=50", *_FORMAT)

        async def read() -> None:
            assert recorder.stdout is not None
            while data := await recorder.stdout.read(4096):
                heard.extend(data)

        reading = asyncio.create_task(read())
        try:
            yield heard
        finally:
            recorder.terminate()
            await reading
            await recorder.wait()

    async def stop(self) -> None:
        """The sound system goes, and every device with it."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def _run(self, *command: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=asyncio.subprocess.PIPE, env=self.environment
        )


_FORMAT = ("--raw", "--format=s16le", "--rate=24000", "--channels=1")


@asynccontextmanager
async def sound_system(
    folder: Path, *, microphone_rate: int = 48_000, speaker_rate: int = 44_100
) -> AsyncIterator[Pulse]:
    """Runs the daemon with its files in `folder`; the rates are those that its devices have themselves, in hertz."""
    socket = folder / "pulse.socket"
    server = f"unix:{socket}"
    config = folder / "pulse.pa"
    alsa = folder / "alsa.conf"

    def prepare() -> None:
        folder.chmod(0o700)
        config.write_text(
            _CONFIG.format(socket=socket, speaker_rate=speaker_rate, microphone_rate=microphone_rate), encoding="utf-8"
        )
        alsa.write_text(_ALSA.format(server=server), encoding="utf-8")

    await asyncio.to_thread(prepare)
    environment = os.environ | {
        "PULSE_SERVER": server,
        "PULSE_RUNTIME_PATH": str(folder),
        "PULSE_STATE_PATH": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "ALSA_CONFIG_PATH": str(alsa),
    }
    process = await asyncio.create_subprocess_exec(
        *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm"),
        *("-F", str(config), "--log-target=null"),
        env={name: value for name, value in environment.items() if name != "PULSE_SERVER"},
    )
    pulse = Pulse(environment, process)
    try:
        async with asyncio.timeout(20):
            while True:
                probe = await pulse._run("pactl", "info")
                await probe.communicate()
                if probe.returncode == 0:
                    break
                await asyncio.sleep(0.1)
        yield pulse
    finally:
        await pulse.stop()
