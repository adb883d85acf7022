"""Chunks of audio that join without a seam, with a toy codec: a causal filter that looks back a known way."""

import numpy as np
import pytest

from chassis.audio import Float32
from services.tts.engines.fish.chunking import ChunkPlan, Codes, StreamingDecoder

FRAME = 64  # samples
BOOKS = 3
LOOKS_BACK = 5  # frames
TOLERANCE = 1e-5  # of full scale: the rounding of float32


class ToyCodec:
    """Each code is a step of a signal, and a causal filter of `LOOKS_BACK` frames makes sound of it."""

    def __init__(self) -> None:
        self.windows: list[int] = []
        draw = np.random.default_rng(7)
        self._filter = draw.normal(size=LOOKS_BACK * FRAME + 1).astype(np.float32) / 50
        self._shape = draw.normal(size=(BOOKS, FRAME)).astype(np.float32)

    def __call__(self, codes: Codes) -> Float32:
        self.windows.append(codes.shape[1])
        steps = np.einsum("bn,bf->nf", codes.astype(np.float32) / 100, self._shape).reshape(-1)
        samples: Float32 = np.convolve(steps, self._filter)[: len(steps)].astype(np.float32)
        return samples


def frames(count: int) -> Codes:
    codes: Codes = np.random.default_rng(3).integers(0, 100, (BOOKS, count))
    return codes


def streamed(codec: ToyCodec, codes: Codes, plan: ChunkPlan) -> list[Float32]:
    decoder = StreamingDecoder(codec, FRAME, plan)
    chunks = [decoder.push(codes[:, at]) for at in range(codes.shape[1])]
    return [chunk for chunk in [*chunks, decoder.flush()] if len(chunk)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40, 41])
@pytest.mark.parametrize("fade", [0, 16, FRAME])
def test_with_enough_context_the_chunks_are_the_whole(count: int, fade: int) -> None:
    codes = frames(count)
    chunks = streamed(ToyCodec(), codes, ChunkPlan(first=2, longest=8, context=LOOKS_BACK + 1, fade_samples=fade))
    whole = ToyCodec()(codes)
    assert np.abs(np.concatenate(chunks) - whole).max() < TOLERANCE * np.abs(whole).max()


def test_too_little_context_is_heard() -> None:
    codes = frames(40)
    chunks = streamed(ToyCodec(), codes, ChunkPlan(first=2, longest=8, context=1, fade_samples=16))
    whole = ToyCodec()(codes)
    assert np.abs(np.concatenate(chunks) - whole).max() > 0.05 * np.abs(whole).max()


def test_the_first_chunk_is_there_as_soon_as_its_frames_are() -> None:
    decoder = StreamingDecoder(ToyCodec(), FRAME, ChunkPlan(first=3, longest=8, context=4, fade_samples=16))
    codes = frames(3)
    assert [len(decoder.push(codes[:, at])) for at in range(3)] == [0, 0, 3 * FRAME - 16]


def test_chunks_grow_to_the_longest() -> None:
    chunks = streamed(ToyCodec(), frames(30), ChunkPlan(first=2, longest=8, context=4, fade_samples=0))
    assert [len(chunk) // FRAME for chunk in chunks] == [2, 4, 8, 8, 8]


def test_no_decode_takes_more_than_the_context_and_the_longest_chunk() -> None:
    codec = ToyCodec()
    streamed(codec, frames(1000), ChunkPlan(first=2, longest=8, context=4, fade_samples=16))
    assert max(codec.windows) == 4 + 8


def test_seams_are_blended() -> None:
    """A codec that is louder each time it is called: without a blend, its chunks would meet in a step."""
    calls = 0

    def louder(codes: Codes) -> Float32:
        nonlocal calls
        calls += 1
        return np.full(codes.shape[1] * FRAME, calls, np.float32)

    decoder = StreamingDecoder(louder, FRAME, ChunkPlan(first=2, longest=2, context=2, fade_samples=32))
    chunks = [decoder.push(frame) for frame in frames(8).T]
    steps = np.abs(np.diff(np.concatenate(chunks)))
    assert steps.max() < 1 / 32


def test_an_utterance_without_frames_has_no_audio() -> None:
    decoder = StreamingDecoder(ToyCodec(), FRAME, ChunkPlan(first=2, longest=8, context=4, fade_samples=16))
    assert len(decoder.flush()) == 0


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ((0, 8, 4, 0), "first chunk: expected 1 to 8 frames, got 0"),
        ((9, 8, 4, 0), "first chunk: expected 1 to 8 frames, got 9"),
        ((2, 8, 0, 0), "left context: expected at least 1 frame, got 0"),
        ((2, 8, 4, -1), "fade: expected at least 0 samples, got -1"),
    ],
)
def test_a_plan_that_does_not_fit_says_why(plan: tuple[int, int, int, int], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        ChunkPlan(*plan)


def test_a_blend_longer_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="fade: expected at most a frame, 64 samples, got 65"):
        StreamingDecoder(ToyCodec(), FRAME, ChunkPlan(first=2, longest=8, context=4, fade_samples=65))
