"""What fills the gaps of a voice."""

import numpy as np
import pytest

from chassis.audio import Int16
from services.orchestrator.edge.webrtc.concealment import RATE, Concealment

FRAME = RATE // 50


def voice(frames: int, hertz: float = 150.0) -> Int16:
    """A buzz: four harmonics."""
    time = np.arange(frames * FRAME) / RATE
    harmonics = [4_000 / n * np.sin(2 * np.pi * hertz * n * time) for n in range(1, 5)]
    samples: Int16 = np.sum(harmonics, axis=0).astype("<i2")
    return samples


def levels(pcm: bytes) -> list[float]:
    """The mean level of each 10 ms."""
    samples = np.abs(np.frombuffer(pcm, "<i2").astype(float))
    return [float(part.mean()) for part in np.array_split(samples, max(1, len(samples) // (RATE // 100)))]


@pytest.mark.parametrize("hertz", [90.0, 150.0, 240.0])
def test_a_gap_of_one_packet_goes_on_as_the_voice_did(hertz: float) -> None:
    sound = voice(12, hertz)
    concealment = Concealment()
    concealment.push(sound[: 10 * FRAME].tobytes())
    filled = np.frombuffer(concealment.fill(FRAME), "<i2").astype(float)
    missing = sound[10 * FRAME : 11 * FRAME].astype(float)
    likeness = np.dot(filled, missing) / np.linalg.norm(filled) / np.linalg.norm(missing)
    assert likeness > 0.8


def test_a_long_gap_fades_to_silence_within_60_ms() -> None:
    concealment = Concealment()
    concealment.push(voice(10).tobytes())
    filled = levels(concealment.fill(RATE // 5))
    assert len(filled) == 20
    assert filled[0] > 1_000
    assert filled[:6] == sorted(filled[:6], reverse=True)
    assert not any(filled[6:])


def test_what_comes_after_a_gap_begins_without_a_click() -> None:
    sound = voice(12)
    concealment = Concealment()
    before = concealment.push(sound[: 10 * FRAME].tobytes())
    joined = before + concealment.fill(FRAME) + concealment.push(sound[11 * FRAME :].tobytes())
    samples = np.frombuffer(joined, "<i2").astype(int)
    assert len(samples) == 12 * FRAME
    assert np.abs(np.diff(samples)).max() < 1.5 * np.abs(np.diff(sound.astype(int))).max()
    # Only the first 2.5 ms are blended.
    assert (samples[-FRAME + RATE // 400 :] == sound[-FRAME + RATE // 400 :]).all()


def test_a_gap_in_silence_and_one_before_all_audio_are_silent() -> None:
    concealment = Concealment()
    assert not any(concealment.fill(FRAME))
    assert not any(concealment.push(bytes(2 * FRAME)))
    assert not any(concealment.fill(100))


def test_without_gaps_nothing_is_changed() -> None:
    sound = voice(5).tobytes()
    concealment = Concealment()
    assert b"".join(concealment.push(sound[at : at + 640]) for at in range(0, len(sound), 640)) == sound
