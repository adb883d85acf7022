"""G.711 against the values of the Recommendation's tables."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chassis import g711
from chassis.audio import Int16
from chassis.g711 import Law

# ITU-T G.711, tables 1a and 2a: the code of each segment's first interval and the largest, its value, and the decision
# value that begins it, in the units of the tables.
A_TABLE = [
    (0xAA, 4032, 3968),
    (0xA5, 2112, 2048),
    (0xB5, 1056, 1024),
    (0x85, 528, 512),
    (0x95, 264, 256),
    (0xE5, 132, 128),
    (0xF5, 66, 64),
    (0xC5, 33, 32),
    (0xD5, 1, 0),
]
MU_TABLE = [
    (0x80, 8031, 7903),
    (0x8F, 4191, 4063),
    (0x9F, 2079, 2015),
    (0xAF, 1023, 991),
    (0xBF, 495, 479),
    (0xCF, 231, 223),
    (0xDF, 99, 95),
    (0xEF, 33, 31),
    (0xFE, 2, 1),
    (0xFF, 0, 0),
]
# From the tables' units to 16 bits: A-law has 13, µ-law 14.
ROWS = [(Law.A, code, 8 * value, 8 * start) for code, value, start in A_TABLE] + [
    (Law.MU, code, 4 * value, 4 * start) for code, value, start in MU_TABLE
]
LAWS = list(Law)


def pcm(*samples: int) -> bytes:
    return np.array(samples, "<i2").tobytes()


def samples(of: bytes) -> Int16:
    return np.frombuffer(of, "<i2")


def again(before: NDArray[Any], law: Law) -> bytes:
    return g711.decode(g711.encode(before.astype("<i2").tobytes(), law), law)


def negative(code: int) -> int:
    return code & 0x7F


@pytest.mark.parametrize(("law", "code", "value", "start"), ROWS)
def test_codes_have_the_values_of_the_recommendation(law: Law, code: int, value: int, start: int) -> None:
    assert list(samples(g711.decode(bytes((code, negative(code))), law))) == [value, -value]


@pytest.mark.parametrize(("law", "code", "value", "start"), ROWS)
def test_intervals_begin_at_the_decision_values(law: Law, code: int, value: int, start: int) -> None:
    assert g711.encode(pcm(start), law)[0] == code
    assert g711.encode(pcm(-start - 1), law)[0] == negative(code)
    if start:
        assert g711.encode(pcm(start - 1), law)[0] != code


@pytest.mark.parametrize("law", LAWS)
def test_every_code_survives_a_round_trip(law: Law) -> None:
    codes = bytes(range(256))
    back = g711.encode(g711.decode(codes, law), law)
    # µ-law has two zeros; PCM has one.
    assert [one for one, other in zip(codes, back, strict=True) if one != other] == ([0x7F] if law is Law.MU else [])


@pytest.mark.parametrize(("law", "step"), [(Law.MU, 8), (Law.A, 16)])
def test_no_sample_is_further_off_than_half_its_interval(law: Law, step: int) -> None:
    clip = 32_635 if law is Law.MU else 32_767
    before = np.arange(-clip, clip + 1)
    after = samples(again(before, law)).astype(int)
    assert np.all(np.diff(after) >= 0)
    # Intervals are at most 1/16 of the magnitude that begins their segment, or the smallest step.
    allowed = np.maximum(step / 2, (np.abs(before) + 132) / 32)
    assert np.all(np.abs(after - before) <= allowed)


@pytest.mark.parametrize("law", LAWS)
def test_what_is_louder_than_the_law_can_code_is_clipped(law: Law) -> None:
    loudest = 4 * 8031 if law is Law.MU else 8 * 4032
    assert list(samples(again(np.array([-32_768, 32_767]), law))) == [-loudest, loudest]


@pytest.mark.parametrize("law", LAWS)
def test_a_tone_keeps_the_quality_of_a_telephone(law: Law) -> None:
    tone = 8_000 * np.sin(2 * np.pi * 440 * np.arange(8_000) / g711.SAMPLE_RATE)
    noise = samples(again(tone.astype(np.int16), law)) - tone
    # G.711 is made for 38 dB over the range of speech.
    assert 10 * np.log10(np.mean(tone**2) / np.mean(noise**2)) > 36


@pytest.mark.parametrize("law", LAWS)
def test_half_a_sample_is_an_error(law: Law) -> None:
    with pytest.raises(ValueError, match="multiple of element size"):
        g711.encode(b"\0\0\0", law)


@pytest.mark.parametrize("law", LAWS)
def test_nothing_is_nothing(law: Law) -> None:
    assert g711.encode(b"", law) == b""
    assert g711.decode(b"", law) == b""
