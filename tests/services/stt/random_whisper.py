"""Whisper as small as it gets, with random weights and the layout of large-v3: 128 mel bands, a language more."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec

from chassis.audio import Float32
from chassis.weights import open_store

BANDS = 128
WIDTH = 32
HEADS = 2
CANTONESE = 50_358
"""The token that large-v3 added; those behind it moved up by one."""
TOKENS = 51_866


def save_large_v3(directory: Path) -> None:
    """Writes model.bin, config.json, vocabulary.json and tokenizer.json to `directory`."""
    random = np.random.default_rng(0)

    def weights(*shape: int) -> Float32:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    def fill(linear: Any, outputs: int, inputs: int) -> None:
        linear.weight, linear.bias = weights(outputs, inputs), weights(outputs)

    def normalize(norm: Any) -> None:
        norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def feed_forward(ffn: Any) -> None:
        normalize(ffn.layer_norm)
        fill(ffn.linear_0, 4 * WIDTH, WIDTH)
        fill(ffn.linear_1, WIDTH, 4 * WIDTH)

    def attend(attention: Any, *sizes: int) -> None:
        normalize(attention.layer_norm)
        for linear, size in zip(attention.linear, sizes, strict=True):
            fill(linear, size * WIDTH, WIDTH)

    spec = WhisperSpec(1, HEADS, 1, HEADS)
    for convolution, inputs in ((spec.encoder.conv1, BANDS), (spec.encoder.conv2, WIDTH)):
        convolution.weight, convolution.bias = weights(WIDTH, inputs, 3), weights(WIDTH)
    spec.encoder.position_encodings.encodings = weights(1500, WIDTH)
    spec.decoder.position_encodings.encodings = weights(448, WIDTH)
    normalize(spec.encoder.layer_norm)
    normalize(spec.decoder.layer_norm)
    attend(spec.encoder.layer[0].self_attention, 3, 1)
    attend(spec.decoder.layer[0].self_attention, 3, 1)
    attend(spec.decoder.layer[0].attention, 1, 2, 1)
    feed_forward(spec.encoder.layer[0].ffn)
    feed_forward(spec.decoder.layer[0].ffn)
    spec.decoder.embeddings.weight = weights(TOKENS, WIDTH)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight

    tokenizer = json.loads((open_store().ensure("whisper-base") / "tokenizer.json").read_text(encoding="utf-8"))
    for token in tokenizer["added_tokens"]:
        token["id"] += token["id"] >= CANTONESE
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][-1], "id": CANTONESE, "content": "<|yue|>"})
    tokenizer["added_tokens"].sort(key=lambda token: token["id"])
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    vocabulary = {**tokenizer["model"]["vocab"], **ids}
    names = {number: name for name, number in vocabulary.items()}
    spec.register_vocabulary([names.get(number, f"<|{number}|>") for number in range(TOKENS)])
    spec.config.lang_ids = list(range(50_259, CANTONESE + 1))
    spec.config.alignment_heads = [(0, 0)]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [50_257]
    spec.validate()
    spec.save(str(directory))
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
