"""Whisper on CTranslate2, step by step and in batches: encode, detect, decode, align. Blocking; safe for several
threads."""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from chassis.audio import SAMPLE_RATE, Float32
from services.stt.alignment import TimedWord, timed_words
from services.stt.mel_filters import SparseFilters
from services.stt.windows import MAX_CONTEXT_S

FRAMES_A_SECOND = 100
FRAME_SAMPLES = SAMPLE_RATE // FRAMES_A_SECOND
FFT_SAMPLES = 400
DYNAMIC_RANGE = 2.0
"""Scaled log-mel values are cut off this far under the clip's loudest, so that is what silence looks like."""
MAX_NEW_TOKENS = 224
"""Half of the decoder's 448 positions; the other half is the prompt's."""
MAX_PROMPT_TOKENS = 200
ENGLISH = "en"
_LANGUAGE_TOKEN = re.compile(r"<\|([a-z]{2,3})\|>")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch after the encoder: [clips, positions of 20 ms, width]. Clip n fills the first `samples[n]` / 320
    positions of its row."""

    output: Any
    samples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to decode one clip: `prompt` is text that might have come before, empty for none; at most `budget` tokens."""

    language: str
    prompt: str
    budget: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text tokens of one greedy decode. `ended`: the model set the end mark within its budget.

    `log_probability` is the mean a token, the end mark included; `no_speech_probability` is in [0, 1].
    """

    tokens: tuple[int, ...]
    ended: bool
    log_probability: float
    no_speech_probability: float


class WhisperModel:
    """A converted Whisper model in `directory` (model.bin, config.json, tokenizer.json, vocabulary).

    Mel bands, languages and the ids of special tokens are the model's own, so that large-v3's 128 bands and its shifted
    ids need nothing more. Each thread that encodes has a buffer of its own for the features of `max_batch` clips.
    """

    def __init__(
        self,
        directory: Path,
        *,
        device: str = "cpu",
        device_index: int = 0,
        compute_type: str = "int8",
        cpu_threads: int = 2,
        workers: int = 1,
        max_batch: int = 1,
    ) -> None:
        self._model = ctranslate2.models.Whisper(
            str(directory),
            device=device,
            device_index=device_index,
            compute_type=compute_type,
            intra_threads=cpu_threads,
            inter_threads=workers,
        )
        self._bands = int(self._model.n_mels)
        self._room = threading.local()
        self._room_size = max_batch * self._bands * MAX_CONTEXT_S * FRAMES_A_SECOND
        self._features = FeatureExtractor(feature_size=self._bands)
        self._features.mel_filters = SparseFilters(self._features.mel_filters)
        self._vocabulary = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.multilingual = bool(self._model.is_multilingual)
        matches = map(_LANGUAGE_TOKEN.fullmatch, self._vocabulary.get_vocab())
        known = frozenset(match[1] for match in matches if match)
        self.languages: frozenset[str] = known if self.multilingual else frozenset({ENGLISH})
        self._tokenizer = lru_cache(maxsize=None)(self._new_tokenizer)

    def encode(self, clips: Sequence[Float32], context_s: int) -> Encoded:
        """Float32 [samples] at 16 kHz each, no longer than the context, followed by silence up to `context_s` seconds.

        At most `max_batch` of them.
        """
        frames = context_s * FRAMES_A_SECOND
        features = self._buffer(len(clips), frames)
        for row, samples in zip(features, clips, strict=True):
            log_mel = self._features(samples, padding=FFT_SAMPLES)[:, :frames]
            row[:, : log_mel.shape[1]] = log_mel
            row[:, log_mel.shape[1] :] = log_mel.max() - DYNAMIC_RANGE
        output = self._model.encode(ctranslate2.StorageView.from_array(features))
        return Encoded(output, tuple(len(samples) for samples in clips))

    def detect(self, encoded: Encoded) -> list[Mapping[str, float]]:
        """The probability of every language, for each clip. Only for a multilingual model."""
        return [
            {token[2:-2]: probability for token, probability in found}
            for found in self._model.detect_language(encoded.output)
        ]

    def decode(self, encoded: Encoded, wanted: Sequence[Wanted]) -> list[Decoded]:
        """The likeliest text of each clip, token by token."""
        starts = [self._start(each) for each in wanted]
        # CTranslate2 wants the start of the transcript at the same position in all of a batch.
        alike: dict[int, list[int]] = {}
        for row, start in enumerate(starts):
            alike.setdefault(len(start), []).append(row)
        decoded: dict[int, Decoded] = {}
        for length, rows in alike.items():
            budgets = [min(wanted[row].budget, MAX_NEW_TOKENS) for row in rows]
            longest = max(budgets)
            # CTranslate2 allows min(max_length / 2, max_length - start) new tokens.
            results = self._model.generate(
                encoded.output if len(rows) == len(wanted) else _rows_of(encoded.output, rows),
                [starts[row] for row in rows],
                beam_size=1,
                max_length=max(2 * longest, longest + length),
                return_scores=True,
                return_no_speech_prob=True,
            )
            for row, budget, result in zip(rows, budgets, results, strict=True):
                decoded[row] = _decoded(result, budget)
        return [decoded[row] for row in range(len(wanted))]

    def text(self, tokens: Sequence[int], language: str) -> str:
        """The text of `tokens`, with the leading space that spaced scripts begin with."""
        text: str = self._tokenizer(language).decode(list(tokens))
        return text

    def align(self, encoded: Encoded, row: int, language: str, tokens: Sequence[int]) -> list[TimedWord]:
        """When each word of `tokens`, the transcript of clip `row`, was said."""
        if not tokens:
            return []
        tokenizer = self._tokenizer(language)
        samples = encoded.samples[row]
        output = encoded.output if len(encoded.samples) == 1 else _rows_of(encoded.output, [row])
        frames = max(2, samples // FRAME_SAMPLES)
        alignment = self._model.align(output, tokenizer.sot_sequence, [list(tokens)], frames)[0]
        words, word_tokens = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
        counts = [len(each) for each in word_tokens[:-1]]
        return timed_words(words[:-1], counts, alignment.alignments, alignment.text_token_probs, samples)

    def close(self) -> None:
        """Frees the model's memory."""
        self._model.unload_model()

    def _start(self, wanted: Wanted) -> list[int]:
        tokenizer = self._tokenizer(wanted.language)
        before: list[int] = []
        if wanted.prompt:
            before = [tokenizer.sot_prev, *tokenizer.encode(f" {wanted.prompt}")[-MAX_PROMPT_TOKENS:]]
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def _buffer(self, clips: int, frames: int) -> Float32:
        """Float32 [clips, bands, frames], this thread's until it asks again."""
        if not hasattr(self._room, "features"):
            self._room.features = np.empty(self._room_size, np.float32)
        features: Float32 = self._room.features[: clips * self._bands * frames]
        return features.reshape(clips, self._bands, frames)

    def _new_tokenizer(self, language: str) -> Any:
        return Tokenizer(self._vocabulary, self.multilingual, task="transcribe", language=language)


def _decoded(result: Any, budget: int) -> Decoded:
    tokens = tuple(result.sequences_ids[0])
    # The score is a mean over the text tokens, the sum one over the end mark too.
    log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1)
    return Decoded(tokens[:budget], len(tokens) < budget, log_probability, result.no_speech_prob)


def _rows_of(output: Any, rows: Sequence[int]) -> Any:
    """Some rows of an encoder output, as a batch of their own. From a GPU they go by way of the CPU's memory, as exact
    as they were: only where prompts differ in length, and for words with times."""
    if output.device != "cpu":
        output = output.to_device(ctranslate2.Device.cpu).to(ctranslate2.DataType.float32)
    return ctranslate2.StorageView.from_array(np.asarray(output)[list(rows)])
