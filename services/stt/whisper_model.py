"""Whisper on CTranslate2, step by step: encode, detect, decode, align. Blocking; safe for several threads."""

import re
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
    """A clip after the encoder: positions of 20 ms, of which the first `samples` / 320 hold the clip."""

    output: Any
    samples: int


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
    """A converted Whisper model in `directory` (model.bin, config.json, tokenizer.json, vocabulary)."""

    def __init__(
        self,
        directory: Path,
        *,
        device: str = "cpu",
        device_index: int = 0,
        compute_type: str = "int8",
        cpu_threads: int = 2,
        workers: int = 1,
    ) -> None:
        self._model = ctranslate2.models.Whisper(
            str(directory),
            device=device,
            device_index=device_index,
            compute_type=compute_type,
            intra_threads=cpu_threads,
            inter_threads=workers,
        )
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._features.mel_filters = SparseFilters(self._features.mel_filters)
        self._vocabulary = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.multilingual = bool(self._model.is_multilingual)
        matches = map(_LANGUAGE_TOKEN.fullmatch, self._vocabulary.get_vocab())
        known = frozenset(match[1] for match in matches if match)
        self.languages: frozenset[str] = known if self.multilingual else frozenset({ENGLISH})
        self._tokenizer = lru_cache(maxsize=None)(self._new_tokenizer)

    def encode(self, samples: Float32, context_s: int) -> Encoded:
        """Float32 [samples] at 16 kHz, no longer than the context, followed by silence up to `context_s` seconds."""
        frames = context_s * FRAMES_A_SECOND
        log_mel = self._features(samples, padding=FFT_SAMPLES)[:, :frames]
        features = np.full((1, log_mel.shape[0], frames), log_mel.max() - DYNAMIC_RANGE, np.float32)
        features[0, :, : log_mel.shape[1]] = log_mel
        return Encoded(self._model.encode(ctranslate2.StorageView.from_array(features)), len(samples))

    def detect(self, encoded: Encoded) -> Mapping[str, float]:
        """The probability of every language. Only for a multilingual model."""
        return {token[2:-2]: probability for token, probability in self._model.detect_language(encoded.output)[0]}

    def decode(self, encoded: Encoded, language: str, prompt: str, budget: int) -> Decoded:
        """The likeliest text token by token, at most `budget` of them.

        `prompt` is text that might have come before; empty for none.
        """
        tokenizer = self._tokenizer(language)
        before = [tokenizer.sot_prev, *tokenizer.encode(f" {prompt}")[-MAX_PROMPT_TOKENS:]] if prompt else []
        start = [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]
        budget = min(budget, MAX_NEW_TOKENS)
        # CTranslate2 allows min(max_length / 2, max_length - start) new tokens.
        result = self._model.generate(
            encoded.output,
            [start],
            beam_size=1,
            max_length=max(2 * budget, budget + len(start)),
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = tuple(result.sequences_ids[0])
        # The score is a mean over the text tokens, the sum one over the end mark too.
        log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Decoded(tokens, len(tokens) < budget, log_probability, result.no_speech_prob)

    def text(self, tokens: Sequence[int], language: str) -> str:
        """The text of `tokens`, with the leading space that spaced scripts begin with."""
        text: str = self._tokenizer(language).decode(list(tokens))
        return text

    def align(self, encoded: Encoded, language: str, tokens: Sequence[int]) -> list[TimedWord]:
        """When each word of `tokens` was said."""
        if not tokens:
            return []
        tokenizer = self._tokenizer(language)
        frames = max(2, encoded.samples // FRAME_SAMPLES)
        alignment = self._model.align(encoded.output, tokenizer.sot_sequence, [list(tokens)], frames)[0]
        words, word_tokens = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
        counts = [len(each) for each in word_tokens[:-1]]
        return timed_words(words[:-1], counts, alignment.alignments, alignment.text_token_probs, encoded.samples)

    def close(self) -> None:
        """Frees the model's memory."""
        self._model.unload_model()

    def _new_tokenizer(self, language: str) -> Any:
        return Tokenizer(self._vocabulary, self.multilingual, task="transcribe", language=language)
