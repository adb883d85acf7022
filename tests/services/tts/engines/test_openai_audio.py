"""Samples out of streamed PCM and WAV of any chunking."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.audio import Float32, float_to_pcm
from chassis.errors import StageError
from services.orchestrator.edge.single.wav import streaming_header
from services.tts.engines.openai_audio import AudioReader

RATE = 24_000
PCM = np.arange(-600, 600, dtype="<i2").tobytes()


def read(data: bytes, *cuts: int, content_type: str = "audio/pcm", rate: int = RATE) -> Float32:
    reader = AudioReader(content_type, RATE, rate)
    borders = [0, *sorted(cuts), len(data)]
    pieces = [reader.push(data[start:stop]) for start, stop in zip(borders, borders[1:], strict=False)]  # noqa: RUF007
    return np.concatenate([*pieces, reader.flush()])


def wav(
    pcm: bytes, rate: int = RATE, channels: int = 1, tag: int = 1, bits: int = 16, size: int | None = None
) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", 16) + form
    return b"RIFF\0\0\0\0WAVE" + chunks + b"data" + struct.pack("<I", len(pcm) if size is None else size) + pcm


@given(st.lists(st.integers(0, len(PCM))))
def test_pcm_does_not_depend_on_the_pieces(cuts: list[int]) -> None:
    assert float_to_pcm(read(PCM, *cuts)) == PCM


@given(st.lists(st.integers(0, 120)))
def test_wav_does_not_depend_on_the_pieces(cuts: list[int]) -> None:
    # A chunk that follows the audio is no audio.
    assert float_to_pcm(read(wav(PCM) + b"LIST\4\0\0\0abcd", *cuts)) == PCM


@pytest.mark.parametrize("data", [streaming_header(RATE) + PCM, wav(PCM, size=0), wav(PCM, size=0x7FFFFFFF)])
def test_a_wav_stream_need_not_say_how_long_it_is(data: bytes) -> None:
    assert float_to_pcm(read(data, content_type="audio/wav")) == PCM


def test_two_channels_are_averaged_and_another_rate_is_converted() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    stereo = np.stack((tone, np.zeros_like(tone)), axis=1).astype(np.float32)
    samples = read(wav(float_to_pcm(stereo.reshape(-1)), rate=16_000, channels=2), 1000)
    assert abs(len(samples) - RATE) < 50
    assert abs(float(np.sqrt(np.mean(samples**2))) - 0.5 / np.sqrt(2)) < 0.01


@pytest.mark.parametrize(
    ("data", "content_type", "expected"),
    [
        (b"", "audio/pcm", "expected audio, got none"),
        (b"\0", "audio/pcm", "expected audio, got none"),
        (wav(b""), "audio/wav", "expected audio, got none"),
        (b"{}", "application/json", "got application/json"),
        (b"ID3\4" + bytes(100), "application/octet-stream", "got compressed audio"),
        (b"RIFF\0\0\0\0AVI " + bytes(100), "", "another RIFF file"),
        (wav(PCM)[:30], "", "the beginning of its header"),
        (wav(PCM, tag=3, bits=32), "", "got format 3 of 32 bits"),
        (wav(PCM, channels=9), "", "got 9 at 24000"),
    ],
)
def test_what_is_no_audio_is_an_error(data: bytes, content_type: str, expected: str) -> None:
    with pytest.raises(StageError, match=expected) as caught:
        read(data, content_type=content_type)
    assert caught.value.reason == "UPSTREAM_MALFORMED"
