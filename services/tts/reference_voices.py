"""Voices to imitate: a recording and what it says, checked against limits, and a bounded memory of what was made of
them. Pure."""

import hashlib
import io
import wave
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.audio import Float32, integers_to_float
from chassis.errors import StageError

MIN_SECONDS = 1.0
"""Less is too little to tell a voice by."""
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
MAX_TEXT_CHARS = 600
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReferenceLimits:
    """Longest recording in seconds, and largest in bytes."""

    seconds: float
    size: int


@dataclass(frozen=True, slots=True)
class ReferenceVoice:
    """A recording, float32 mono [n] at `sample_rate_hz`, and the words in it. `key` is the same for the same input."""

    samples: Float32
    sample_rate_hz: int
    text: str
    key: str


def read_reference(wav: bytes, text: str, limits: ReferenceLimits) -> ReferenceVoice:
    """The voice in a WAV file of whole-number samples, its channels mixed.

    Raises StageError INVALID_FIELD, which names `reference.wav` or `reference.text` and what was expected.
    """
    spoken = text.strip()
    if not 1 <= len(spoken) <= MAX_TEXT_CHARS:
        raise StageError.invalid(
            "reference.text", f"1 to {MAX_TEXT_CHARS} characters, the words of the recording; got {len(spoken)}"
        )
    if len(wav) > limits.size:
        raise StageError.invalid("reference.wav", f"at most {limits.size} bytes, got {len(wav)}")
    try:
        with wave.open(io.BytesIO(wav)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise StageError.invalid(
            "reference.wav", f"a WAV file of PCM samples: {str(error) or 'it ends early'}"
        ) from error
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise StageError.invalid("reference.wav", f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, got {rate} Hz")
    frames = len(data) // (width * channels)
    seconds = frames / rate
    if not MIN_SECONDS <= seconds <= limits.seconds:
        raise StageError.invalid("reference.wav", f"{MIN_SECONDS:g} to {limits.seconds:g} s, got {seconds:.2f} s")
    samples = integers_to_float(data[: frames * width * channels], width)
    mono: Float32 = samples.reshape(frames, channels).mean(axis=1, dtype="float32")
    if not mono.any():
        raise StageError.invalid("reference.wav", "a voice, got silence")
    return ReferenceVoice(mono, rate, spoken, hashlib.sha256(wav + b"\0" + spoken.encode()).hexdigest())


class Remembered(Generic[T]):
    """What was made of the `capacity` keys that were asked for last; the one asked for longest ago is forgotten."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._made: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: str, make: Callable[[], T]) -> T:
        """What was made for `key`, made now where it is not known. Nothing is remembered where `make` raises."""
        if key in self._made:
            self._made.move_to_end(key)
            return self._made[key]
        made = make()
        self._made[key] = made
        if len(self._made) > self._capacity:
            self._made.popitem(last=False)
        return made
