"""What the microphone hears when the person says something: the fleet's own voices, with pauses and noise."""

import asyncio

import grpc.aio
import numpy as np

from chassis.audio import float_to_pcm, resample
from client.sound.speech import guess_language
from client.turns import SAMPLE_RATE, audible_span
from tests.fleet.dialogue.script import Speech
from tests.fleet.dialogue.sounds import amid, silence
from tests.services.tts import client as voice

_TIMEOUT_S = 90.0
_NOISE_MARGIN_MS = 400
"""Noise begins before the words and goes on behind them."""


async def speak(speech: Speech, target: str) -> bytes:
    """PCM s16le 24 kHz mono, said by the text-to-speech stage at `target` (`host:port`)."""
    language = speech.language or guess_language(speech.words)
    async with asyncio.timeout(_TIMEOUT_S), grpc.aio.insecure_channel(target) as channel:
        spoken = await voice.speak(channel, speech.words, voice=speech.voice, language=language, speed=speech.speed)
    said = await asyncio.to_thread(resample, spoken.samples, spoken.format.sample_rate_hz, SAMPLE_RATE)
    cuts = [round(spoken.end_of(offset) * SAMPLE_RATE) for offset, _ in speech.pauses]
    pauses = [silence(ms) for _, ms in speech.pauses]
    said = np.concatenate(
        [part for pair in zip(np.split(said, cuts), [*pauses, silence(0)], strict=True) for part in pair]
    )
    span = await asyncio.to_thread(audible_span, float_to_pcm(said))
    assert span is not None, f"the voice is silent: {speech.words!r}"
    said = said[span[0] : span[1]]
    if speech.amid is not None and speech.snr_db is not None:
        margin = silence(_NOISE_MARGIN_MS)
        said = await asyncio.to_thread(amid, np.concatenate((margin, said, margin)), speech.amid, speech.snr_db)
    return float_to_pcm(said)
