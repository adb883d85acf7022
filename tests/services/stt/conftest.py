"""Speech for the tests, synthesized: English by Hibari, Chinese by Kokoro from phonemes."""

import json
from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
from hibari import Hibari

from chassis.audio import SAMPLE_RATE, Float32, float_to_pcm, resample
from chassis.weights import open_store

Speak = Callable[[str], bytes]
KOKORO_RATE = 24_000
CHINESE_PHONEMES = "ʨi→ntʰjɛ→n tʰjɛ→nʨʰi↘ ʦə↓nmə ja↘ŋ?"
"""今天天气怎么样？ (How is the weather today?)"""


@pytest.fixture(scope="session")
def speak() -> Speak:
    """Says English: PCM at 16 kHz, the same each time."""
    voice = Hibari()
    said: dict[str, bytes] = {}

    def say(text: str) -> bytes:
        if text not in said:
            samples = np.asarray(voice(text, seed=1), np.float32)
            said[text] = float_to_pcm(resample(samples, voice.sample_rate, SAMPLE_RATE))
        return said[text]

    say("Hello, Zbigniew.")  # reads files, also those for unknown words, which a test's event loop must not
    return say


@pytest.fixture(scope="session")
def chinese() -> bytes:
    """今天天气怎么样？ as PCM at 16 kHz."""
    directory = open_store().ensure("kokoro-82m-int8")
    vocabulary = json.loads((directory / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    tokens = [vocabulary[symbol] for symbol in CHINESE_PHONEMES]
    style = np.fromfile(directory / "voices" / "zf_xiaobei.bin", "<f4").reshape(-1, 1, 256)[len(tokens)]
    session = onnxruntime.InferenceSession(directory / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": style, "speed": np.ones(1, np.float32)}
    samples: Float32 = session.run(None, inputs)[0].reshape(-1)
    return float_to_pcm(resample(samples, KOKORO_RATE, SAMPLE_RATE))
