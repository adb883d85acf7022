"""WAV files of every kind that is read, and those that are not."""

import io
import struct
import wave

import numpy as np
import pytest

from chassis.audio import SAMPLE_RATE, pcm_to_float
from services.orchestrator.edge.single.wav import NotWavError, read_wav, streaming_header

SECONDS = 0.5


def tone(rate: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """440 Hz at half of full scale."""
    times: np.ndarray[tuple[int], np.dtype[np.float64]] = np.arange(int(SECONDS * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * 440 * times)


def riff(tag: int, channels: int, rate: int, bits: int, data: bytes, *, extensible: bool = False) -> bytes:
    """A WAV file with a chunk of odd size before its audio."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + bytes(14)
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
        for name, body in ((b"fmt ", form), (b"LIST", b"odd"), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def check_tone(pcm: bytes) -> None:
    """That it is the tone, at the fleet's rate."""
    samples = pcm_to_float(pcm)
    assert abs(len(samples) - SECONDS * SAMPLE_RATE) <= 2
    middle = samples[800:-800]
    expected = tone(SAMPLE_RATE)[800 : 800 + len(middle)]
    assert float(np.abs(middle - expected).max()) < 0.02


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_any_rate_becomes_the_fleet_s(rate: int) -> None:
    data = (tone(rate) * 32_767).astype("<i2").tobytes()
    check_tone(read_wav(riff(1, 1, rate, 16, data), 10))


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_any_width_of_pcm_is_read(bits: int) -> None:
    signal = tone(16_000)
    if bits == 8:
        data = np.rint(signal * 127 + 128).astype(np.uint8).tobytes()
    else:
        wide = np.rint(signal * (2 ** (bits - 1) - 1)).astype("<i4")
        data = wide.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
    check_tone(read_wav(riff(1, 1, 16_000, bits, data), 10))


@pytest.mark.parametrize("bits", [32, 64])
def test_float_and_extensible_files_are_read(bits: int) -> None:
    data = tone(16_000).astype(f"<f{bits // 8}").tobytes()
    check_tone(read_wav(riff(3, 1, 16_000, bits, data, extensible=True), 10))


def test_channels_are_averaged() -> None:
    left = (tone(16_000) * 32_767).astype("<i2")
    data = np.stack((left, np.zeros_like(left)), axis=1).tobytes()
    samples = pcm_to_float(read_wav(riff(1, 2, 16_000, 16, data), 10))
    assert float(np.abs(samples).max()) == pytest.approx(0.25, abs=0.01)


def test_a_file_of_the_standard_library_is_read() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((tone(16_000) * 32_767).astype("<i2").tobytes())
    check_tone(read_wav(buffer.getvalue(), 10))


def test_a_stream_whose_length_its_header_does_not_know_is_read_to_its_end() -> None:
    data = (tone(24_000) * 32_767).astype("<i2").tobytes()
    check_tone(read_wav(streaming_header(24_000) + data, 10))


GOOD = riff(1, 1, 16_000, 16, bytes(32_000))
BAD: list[tuple[bytes, str]] = [
    (b"", "expected a WAV file"),
    (b"ID3\x04" + bytes(100), "expected a WAV file"),
    (GOOD[:30], "cut off"),
    (GOOD[:40], "no data chunk"),
    (GOOD[:12] + GOOD[36:], "no fmt chunk"),
    (riff(1, 1, 16_000, 16, b""), "expected audio"),
    (riff(1, 1, 16_000, 12, bytes(12)), "got format 1 of 12 bits"),
    (riff(0x55, 1, 16_000, 16, bytes(12)), "got format 85"),
    (riff(1, 0, 16_000, 16, bytes(12)), "channels, got 0"),
    (riff(1, 1, 0, 16, bytes(12)), "Hz, got 0"),
    (riff(1, 1, 16_000, 16, bytes(400_000)), "at most 10 s"),
]


@pytest.mark.parametrize(("data", "expected"), BAD)
def test_what_cannot_be_read_says_what_was_expected(data: bytes, expected: str) -> None:
    with pytest.raises(NotWavError, match=expected):
        read_wav(data, 10)
