"""The VAD's own tape: the same offsets as the session's, whatever is switched on and off."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.audio import SAMPLE_RATE
from services.orchestrator.noise_reduction import DELAY, NoiseReducer, NoiseReduction
from services.orchestrator.tape import Tape
from services.orchestrator.vad_input import VadInput

NEAR, FAR = NoiseReduction.NEAR_FIELD, NoiseReduction.FAR_FIELD


def noise(samples: int) -> bytes:
    return (np.random.default_rng(0).standard_normal(samples) * 1_000).astype("<i2").tobytes()


async def send(tape: Tape, vad_input: VadInput, pcm: bytes) -> None:
    tape.write(pcm, 1.0)
    await vad_input.write(pcm, 1.0)


async def test_without_noise_reduction_there_is_only_the_sessions_tape() -> None:
    tape = Tape()
    vad_input = VadInput(tape)
    await send(tape, vad_input, noise(500))
    assert vad_input.tape is tape
    assert not vad_input.switch(None, 1.0)
    assert tape.read(0, 1_000) == noise(500)


async def test_noise_reduction_leaves_the_sessions_own_tape_as_it_was() -> None:
    tape, pcm = Tape(), noise(SAMPLE_RATE)
    vad_input = VadInput(tape, NEAR)
    await send(tape, vad_input, pcm)
    assert tape.read(0, SAMPLE_RATE) == pcm
    expected = NoiseReducer(NEAR).process(pcm)
    assert vad_input.tape.read(0, SAMPLE_RATE) == expected
    assert vad_input.tape.end == len(expected) // 2


async def test_switched_on_late_it_begins_at_the_offset_where_it_was_switched_on() -> None:
    tape, pcm = Tape(), noise(4_000)
    vad_input = VadInput(tape)
    await send(tape, vad_input, pcm)
    assert vad_input.switch(FAR, 1.0)
    await send(tape, vad_input, pcm)
    assert vad_input.tape.start == 4_000
    assert vad_input.tape.read(4_000, 8_000) == NoiseReducer(FAR).process(pcm)


async def test_switched_off_it_goes_on_with_the_audio_as_it_is_and_loses_none() -> None:
    tape, first, second = Tape(), noise(3_000), noise(2_000)
    vad_input = VadInput(tape, NEAR)
    await send(tape, vad_input, first)
    assert not vad_input.switch(None, 1.0)
    await send(tape, vad_input, second)
    assert vad_input.tape.end == tape.end == 5_000
    assert vad_input.tape.read(3_000 - DELAY, 5_000) == tape.read(3_000 - DELAY, 5_000)
    assert vad_input.tape.read(0, 1_000) == NoiseReducer(NEAR).process(first)[:2_000]


@given(st.lists(st.tuples(st.sampled_from([None, NEAR, FAR]), st.integers(0, 2_000)), max_size=6))
@settings(max_examples=25, deadline=None)
def test_it_never_runs_ahead_and_never_falls_far_behind(steps: Sequence[tuple[NoiseReduction | None, int]]) -> None:
    async def run() -> None:
        tape = Tape()
        vad_input, kind = VadInput(tape), None
        for new, samples in steps:
            if new is not kind:
                vad_input.switch(new, 1.0)
                kind = new
            await send(tape, vad_input, noise(samples))
            lag = tape.end - vad_input.tape.end
            assert 0 <= lag < DELAY + 160
            assert kind is not None or lag == 0

    asyncio.run(run())


async def test_others_have_their_turn_while_much_audio_is_worked_on() -> None:
    tape, turns = Tape(), 0
    vad_input = VadInput(tape, NEAR)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    await send(tape, vad_input, noise(SAMPLE_RATE))
    other.cancel()
    assert turns >= 49  # after each block of 20 ms but the last


@pytest.mark.parametrize("kind", [NEAR, FAR])
async def test_the_blocks_make_no_difference(kind: NoiseReduction) -> None:
    tape, pcm = Tape(), noise(5_000)
    vad_input = VadInput(tape, kind)
    for start in range(0, len(pcm), 2 * 333):
        await send(tape, vad_input, pcm[start : start + 2 * 333])
    assert vad_input.tape.read(0, 5_000) == NoiseReducer(kind).process(pcm)
