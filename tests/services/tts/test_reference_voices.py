"""Recordings of voices, against their limits."""

import io
import wave

import numpy as np
import pytest

from chassis.errors import StageError
from services.tts.reference_voices import ReferenceLimits, Remembered, read_reference

LIMITS = ReferenceLimits(seconds=5.0, size=400_000)


def recording(seconds: float = 2.0, rate: int = 16_000, channels: int = 1, width: int = 2, level: float = 0.5) -> bytes:
    """A WAV file of a tone; every channel but the first is silent."""
    tone = level * np.sin(2 * np.pi * 200 * np.arange(round(seconds * rate)) / rate)
    frames = np.zeros((len(tone), channels))
    frames[:, 0] = tone
    scaled = np.round(frames * (2 ** (8 * width - 1) - 1)).astype("<i4")
    data = scaled.reshape(-1).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return buffer.getvalue()


def refusal(wav: bytes, text: str = "Words.") -> StageError:
    with pytest.raises(StageError) as raised:
        read_reference(wav, text, LIMITS)
    return raised.value


@pytest.mark.parametrize("width", [2, 3, 4])
def test_samples_of_any_width_are_read(width: int) -> None:
    voice = read_reference(recording(width=width), " Words. ", LIMITS)
    assert (len(voice.samples), voice.sample_rate_hz, voice.text) == (32_000, 16_000, "Words.")
    assert voice.samples.max() == pytest.approx(0.5, abs=1e-3)


def test_channels_are_mixed() -> None:
    assert read_reference(recording(channels=2), "Words.", LIMITS).samples.max() == pytest.approx(0.25, abs=1e-3)


def test_the_same_recording_of_the_same_words_has_the_same_key() -> None:
    keys = [
        read_reference(wav, text, LIMITS).key
        for wav, text in [(recording(), "A"), (recording(), "A"), (recording(), "B"), (recording(level=0.4), "A")]
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("wav", "expected"),
    [
        (b"", "a WAV file of PCM samples: it ends early"),
        (b"RIFF____WAVE", "a WAV file of PCM samples: "),
        (b"ID3\x04 not a wave at all", "a WAV file of PCM samples: "),
        (recording(0.5), "1 to 5 s, got 0.50 s"),
        (recording(5.5), "1 to 5 s, got 5.50 s"),
        (recording(rate=4_000), "8000 to 192000 Hz, got 4000 Hz"),
        (recording(4.9, rate=44_100), "at most 400000 bytes, got 432224"),
        (recording(level=0.0), "a voice, got silence"),
    ],
)
def test_a_recording_that_is_no_use_says_why(wav: bytes, expected: str) -> None:
    error = refusal(wav)
    assert (error.field, error.reason) == ("reference.wav", "INVALID_FIELD")
    assert error.message.startswith(f"reference.wav: expected {expected}")


@pytest.mark.parametrize("text", ["", "  ", "x" * 601])
def test_the_words_of_a_recording_are_needed(text: str) -> None:
    assert refusal(recording(), text).field == "reference.text"


def test_what_was_used_last_is_remembered() -> None:
    made: list[str] = []
    memory: Remembered[str] = Remembered(2)

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return memory.get(key, make)

    assert [get(key) for key in ("a", "b", "a", "c", "a", "b")] == ["A", "B", "A", "C", "A", "B"]
    assert made == ["a", "b", "c", "b"]
    assert len(memory) == 2


def test_what_could_not_be_made_is_asked_for_again() -> None:
    memory: Remembered[str] = Remembered(2)
    with pytest.raises(ZeroDivisionError):
        memory.get("a", lambda: str(1 // 0))
    assert memory.get("a", lambda: "made") == "made"
