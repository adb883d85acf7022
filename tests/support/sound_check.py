"""Plays 440 Hz through the default loudspeaker while it listens to the default microphone, as a program of its own.

PortAudio looks for its devices once in the life of a process. Prints what it heard as JSON.
"""

import asyncio
import json

import numpy as np

from client.sound.devices import load_sounddevice
from client.sound.microphone import open_audio
from client.turns import SAMPLE_RATE

SECONDS = 2.0


async def main() -> None:
    """Waits until the microphone hears something, then plays."""
    tone = (8_000 * np.sin(np.arange(int(SECONDS * SAMPLE_RATE)) * 2 * np.pi * 440 / SAMPLE_RATE)).astype("<i2")
    positions: list[float] = []
    heard = bytearray()
    async with open_audio(load_sounddevice()) as audio:
        print(json.dumps({"open": True}), flush=True)

        async def listen() -> None:
            async for block in audio.microphone:
                if audio.microphone.peak > 0.05:
                    heard.extend(block)

        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen())
            while len(heard) < 2 * SAMPLE_RATE:  # noqa: ASYNC110 - time alone makes it true
                await asyncio.sleep(0.05)
            audio.playback.push(tone.tobytes(), "item_1")
            while (position := audio.position()) is not None:
                positions.append(position.audio_ms)
                await asyncio.sleep(0.05)
            listening.cancel()
        print(json.dumps({"heard_hz": loudest_hz(bytes(heard)), "positions": positions}), flush=True)


def loudest_hz(pcm: bytes) -> float:
    """The strongest frequency in PCM s16le 24 kHz mono."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(samples))


if __name__ == "__main__":
    asyncio.run(main())
