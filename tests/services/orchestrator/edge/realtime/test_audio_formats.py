"""Streams between the protocol's audio formats and PCM."""

import numpy as np
import pytest

from chassis import g711
from chassis.audio import SAMPLE_RATE, Float32, pcm_to_float
from services.orchestrator.edge.realtime.audio_formats import AudioFormat, Decoder, Encoder

FORMATS = list(AudioFormat)


def tone(rate: int, seconds: float = 0.5) -> bytes:
    signal = 12_000 * np.sin(2 * np.pi * 600 * np.arange(round(seconds * rate)) / rate)
    return signal.astype("<i2").tobytes()


def loudest_hz(signal: Float32, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return float(np.fft.rfftfreq(len(signal), 1 / rate)[spectrum.argmax()])


def in_format(audio_format: AudioFormat) -> bytes:
    """The tone as a client sends it."""
    pcm = tone(audio_format.rate)
    return pcm if audio_format.law is None else g711.encode(pcm, audio_format.law)


@pytest.mark.parametrize(
    ("audio_format", "rate", "sample_bytes"),
    [(AudioFormat.PCM, 24_000, 2), (AudioFormat.PCMU, 8_000, 1), (AudioFormat.PCMA, 8_000, 1)],
)
def test_formats_have_the_rates_of_the_protocol(audio_format: AudioFormat, rate: int, sample_bytes: int) -> None:
    assert (audio_format.rate, audio_format.sample_bytes) == (rate, sample_bytes)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_a_clients_tone_is_the_same_tone_at_the_fleets_rate(audio_format: AudioFormat) -> None:
    heard = pcm_to_float(Decoder(audio_format).push(in_format(audio_format)))
    assert abs(len(heard) / SAMPLE_RATE - 0.5) < 0.003
    assert abs(loudest_hz(heard, SAMPLE_RATE) - 600) < 4
    assert abs(np.abs(heard[1_000:-1_000]).max() - 12_000 / 32_768) < 0.02


@pytest.mark.parametrize("source_hz", [16_000, 24_000, 44_100])
@pytest.mark.parametrize("audio_format", FORMATS)
def test_a_replys_tone_is_the_same_tone_in_the_clients_format(audio_format: AudioFormat, source_hz: int) -> None:
    encoder = Encoder(audio_format, source_hz)
    sent = encoder.push(tone(source_hz)) + encoder.flush()
    said = pcm_to_float(sent if audio_format.law is None else g711.decode(sent, audio_format.law))
    assert abs(len(said) / audio_format.rate - 0.5) < 0.003
    assert abs(loudest_hz(said, audio_format.rate) - 600) < 4
    assert abs(np.abs(said[1_000:-1_000]).max() - 12_000 / 32_768) < 0.02


@pytest.mark.parametrize("audio_format", FORMATS)
def test_it_does_not_matter_in_which_pieces_audio_comes(audio_format: AudioFormat) -> None:
    audio, size = in_format(audio_format), 46 * audio_format.sample_bytes
    decoder = Decoder(audio_format)
    pieces = b"".join(decoder.push(audio[at : at + size]) for at in range(0, len(audio), size))
    assert pieces == Decoder(audio_format).push(audio)

    reply, encoder, whole = tone(24_000), Encoder(audio_format, 24_000), Encoder(audio_format, 24_000)
    sent = b"".join(encoder.push(reply[at : at + 46]) for at in range(0, len(reply), 46)) + encoder.flush()
    assert sent == whole.push(reply) + whole.flush()
