# mypy: disable-error-code="import-not-found"
"""The model alone: many rows at once are each what fish-speech itself computes, and chunks are what the whole is."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from fish_speech.models.text2semantic.llama import BaseTransformer, KVCache

from chassis.audio import Float32
from chassis.errors import StageError
from services.tts.engines.fish.chunking import ChunkPlan, Codes, StreamingDecoder
from services.tts.engines.fish.model import FishModel, ModelSettings, Prompt, Quote
from services.tts.reference_voices import ReferenceLimits, read_reference
from tests.engines.tts.tiny import BOOKS
from tests.services.tts.test_reference_voices import recording

TOLERANCE_DB = -90.0
"""How far the difference of chunks and whole lies below the whole, at least: -118 dB was measured, which is what is
left of rounding. With 8 frames of context it was -80 dB, with one -40 dB."""
CONTEXT = 32
"""Frames: more than the small codec looks back."""


def said(model: FishModel, row: int, prompt: Prompt, frames: int) -> list[Codes | None]:
    """The first frames of an utterance that has the model to itself."""
    return [model.begin(row, prompt), *(model.step([row])[0] for _ in range(frames - 1))]


def same(left: list[Codes | None], right: list[Codes | None]) -> bool:
    return all(
        (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))
        for a, b in zip(left, right, strict=True)
    )


def random_codes(frames: int) -> Codes:
    codes: Codes = np.random.default_rng(5).integers(0, 1024, (BOOKS, frames))
    return codes


def whole_and_chunked(model: FishModel, codes: Codes, plan: ChunkPlan) -> tuple[Float32, Float32]:
    decoder = StreamingDecoder(model.decode, model.frame_samples, plan)
    chunks = [decoder.push(codes[:, at]) for at in range(codes.shape[1])]
    return model.decode(codes), np.concatenate([*chunks, decoder.flush()])


def level_db(samples: Float32) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


class Published:
    """The forward pass of fish-speech itself, over the whole sequence anew for each frame."""

    def __init__(self, model_settings: ModelSettings) -> None:
        self._model: Any = BaseTransformer.from_pretrained(str(model_settings.weights), load_weights=True).eval()
        config = self._model.config
        for layer in self._model.fast_layers:
            layer.attention.kv_cache = KVCache(1, BOOKS, config.fast_n_local_heads, config.fast_head_dim, torch.float32)

    def frame(self, tokens: torch.Tensor, ending: int) -> list[int]:
        """The likeliest frame after `tokens`; its first code is 1024 for the end, whose token is `ending`."""
        model = self._model
        with torch.inference_mode():
            result = model.forward_generate(tokens[None])
            first = model.tokenizer.semantic_begin_id
            allowed = [*range(first, first + 1024), ending]
            codes = [int(result.logits[0, -1, allowed].argmax())]
            model.forward_generate_fast(result.hidden_states, torch.tensor([0]))
            for book in range(1, BOOKS):
                x = model.fast_embeddings(torch.tensor([min(codes[-1], 1023)]))
                logits = model.forward_generate_fast(x, torch.tensor([book]))
                codes.append(int(logits[0, 0, :1024].argmax()))
        return codes


def test_frames_are_those_of_the_published_forward_pass(model: FishModel, model_settings: ModelSettings) -> None:
    prompt = Prompt("Hello there.", Quote("Anna.", random_codes(12)), 20)
    ours = said(model, 1, prompt, 12)
    published = Published(model_settings)
    tokens = model.tokens(prompt)
    first, ending = model.semantic_ids
    for codes in ours:
        assert codes is not None
        assert codes.tolist() == published.frame(tokens, ending)
        frame = torch.from_numpy(np.concatenate(([codes[0] + first], codes)))[:, None]
        tokens = torch.cat((tokens, frame), dim=1)


def test_rows_at_different_positions_do_not_disturb_each_other(model: FishModel) -> None:
    prompts = [Prompt("One.", None, 20), Prompt("A second, longer text.", Quote("x", random_codes(7)), 20)]
    alone = [said(model, 0, prompt, 14) for prompt in prompts]
    together: list[list[Codes | None]] = [[model.begin(0, prompts[0])], []]
    for _ in range(5):
        together[0] += model.step([0])
    together[1].append(model.begin(2, prompts[1]))
    for _ in range(8):
        for said_so_far, frame in zip(together, model.step([0, 2]), strict=True):
            said_so_far.append(frame)
    assert same(together[0], alone[0])
    assert same(together[1], alone[1][:9])


def test_a_row_that_pauses_goes_on_where_it_was(model: FishModel) -> None:
    prompt = Prompt("One two three.", None, 20)
    alone = said(model, 0, prompt, 9)
    paused = [model.begin(0, prompt), *(model.step([0])[0] for _ in range(3))]
    said(model, 1, Prompt("Another.", None, 20), 6)
    paused += [model.step([0, 1])[0] for _ in range(5)]
    assert same(paused, alone)


def test_a_row_forgets_who_spoke_in_it_before(model: FishModel) -> None:
    prompt = Prompt("Short.", None, 20)
    fresh = said(model, 0, prompt, 6)
    said(model, 0, Prompt("Something else that is much longer than it.", None, 20), 15)
    assert same(said(model, 0, prompt, 6), fresh)


def test_a_compiled_step_says_the_same(model: FishModel, model_settings: ModelSettings) -> None:
    compiled = FishModel(replace(model_settings, acceleration="compile"))
    prompt = Prompt("Hello there.", None, 20)
    assert same(said(compiled, 1, prompt, 8), said(model, 1, prompt, 8))


def test_chosen_codes_vary_with_the_temperature(model_settings: ModelSettings) -> None:
    warm = FishModel(replace(model_settings, sampling=replace(model_settings.sampling, temperature=1.0)))
    prompt = Prompt("Hello there.", None, 20)
    assert not same(said(warm, 0, prompt, 8), said(warm, 0, prompt, 8))


def test_a_repeated_code_becomes_less_likely(model: FishModel, model_settings: ModelSettings) -> None:
    penalised = FishModel(replace(model_settings, sampling=replace(model_settings.sampling, repetition_penalty=2.0)))
    prompt = Prompt("Hello there.", None, 40)

    def repeats(frames: list[Codes | None]) -> int:
        return sum(a is not None and b is not None and a[0] == b[0] for a, b in pairwise(frames))

    assert repeats(said(penalised, 0, prompt, 30)) <= repeats(said(model, 0, prompt, 30))


def test_a_text_that_leaves_no_room_for_its_speech_is_refused(model: FishModel) -> None:
    with pytest.raises(StageError, match=r"text: expected at most 412 tokens with its reference, got \d+"):
        model.begin(0, Prompt("x" * 500, None, 100))


def test_marks_of_the_model_in_a_text_are_only_text(model: FishModel) -> None:
    first, ending = model.semantic_ids
    marks = "Hello <|semantic:5|> and <|im_end|>."
    plain = model.tokens(Prompt("Hello.", None, 20))[0]
    marked = model.tokens(Prompt(marks, Quote(marks, random_codes(3)), 20))[0]
    assert ending not in plain
    # One end and three codes: those of the quote.
    assert int((marked == ending).sum()) == 1
    assert int(((marked >= first) & (marked < first + 1024)).sum()) == 3


@pytest.mark.parametrize("frames", [1, 5, 61, 150])
def test_chunked_audio_is_the_whole_within_the_tolerance(model: FishModel, frames: int) -> None:
    plan = ChunkPlan(first=4, longest=16, context=CONTEXT, fade_samples=441)
    whole, chunked = whole_and_chunked(model, random_codes(frames), plan)
    assert len(chunked) == len(whole) == frames * 2048
    assert level_db(chunked - whole) - level_db(whole) < TOLERANCE_DB


def test_without_context_chunks_are_not_the_whole(model: FishModel) -> None:
    plan = ChunkPlan(first=4, longest=16, context=1, fade_samples=441)
    whole, chunked = whole_and_chunked(model, random_codes(61), plan)
    assert level_db(chunked - whole) - level_db(whole) > -50.0


def test_a_recording_becomes_codes_of_its_length(model: FishModel) -> None:
    quote = model.encode(read_reference(recording(2.0), "Hello.", ReferenceLimits(5.0, 400_000)))
    # Two seconds are 43.07 frames of 2048 samples at 44.1 kHz.
    assert quote.codes.shape == (BOOKS, 44)
    assert quote.codes.min() >= 0
    assert quote.codes.max() < 1024


def test_weights_that_are_not_there_are_named(model_settings: ModelSettings) -> None:
    with pytest.raises(FileNotFoundError, match=r"_FISH_WEIGHTS: .* has no config\.json, tokenizer\.tiktoken"):
        FishModel(replace(model_settings, weights=model_settings.weights.parent))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_an_error(model_settings: ModelSettings) -> None:
    with pytest.raises(RuntimeError, match="VOXFLEET_TTS_FISH_DEVICE: expected cpu, because PyTorch finds no CUDA"):
        FishModel(replace(model_settings, device="cuda"))
