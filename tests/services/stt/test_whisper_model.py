"""Batches of a model with the layout of large-v3, whose weights are random: shapes, ids and independence, no words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chassis.audio import Float32, float_to_pcm
from services.stt.engines.base import SessionConfig
from services.stt.engines.faster_whisper import FasterWhisperEngine
from services.stt.settings import Settings
from services.stt.whisper_model import Wanted, WhisperModel
from tests.services.stt.random_whisper import CANTONESE, save_large_v3

START, TRANSCRIBE, PREVIOUS, NO_TIMESTAMPS = 50_258, 50_360, 50_362, 50_364
"""Ids of large-v3."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("large-v3")
    save_large_v3(directory)
    return directory


@pytest.fixture(scope="module")
def model(directory: Path) -> Iterator[WhisperModel]:
    model = WhisperModel(directory, compute_type="float32", max_batch=3)
    yield model
    model.close()


class Spy:
    """Stands before CTranslate2's model and keeps the prompts that go to it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.prompts: list[list[int]] = []
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, output: Any, prompts: list[list[int]], **options: Any) -> Any:
        self.prompts += prompts
        self.calls += 1
        return self._model.generate(output, prompts, **options)


def noise(seconds: float, seed: int = 0) -> Float32:
    return np.random.default_rng(seed).standard_normal(int(16_000 * seconds)).astype(np.float32) * np.float32(0.1)


def test_the_features_have_the_models_128_bands(model: WhisperModel) -> None:
    encoded = model.encode([noise(2), noise(3)], 5)
    assert (encoded.output.shape, encoded.samples) == ([2, 250, 32], (32_000, 48_000))


def test_every_language_of_the_model_is_told_from_each_clip(model: WhisperModel) -> None:
    found = model.detect(model.encode([noise(2), noise(3)], 5))
    assert [len(each) for each in found] == [100, 100]
    assert [sum(each.values()) for each in found] == pytest.approx([1, 1], abs=1e-3)
    assert model.languages == set(found[0])
    assert "yue" in model.languages


def test_prompts_use_the_models_own_ids(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(model._model)
    monkeypatch.setattr(model, "_model", spy)
    model.decode(model.encode([noise(2)], 5), [Wanted("yue", "", 4)])
    model.decode(model.encode([noise(2)], 5), [Wanted("en", "Wombat", 4)])
    assert spy.prompts[0] == [START, CANTONESE, TRANSCRIBE, NO_TIMESTAMPS]
    assert (spy.prompts[1][0], spy.prompts[1][-1]) == (PREVIOUS, NO_TIMESTAMPS)


def test_a_batch_decodes_to_what_each_clip_decodes_to_alone(
    model: WhisperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [noise(1 + n, seed=n) for n in range(3)]
    wanted = [Wanted("en", "", 12), Wanted("de", "Wombat", 12), Wanted("yue", "", 5)]
    alone = [model.decode(model.encode([clip], 6), [each])[0] for clip, each in zip(clips, wanted, strict=True)]
    spy = Spy(model._model)
    monkeypatch.setattr(model, "_model", spy)
    together = model.decode(model.encode(clips, 6), wanted)
    assert [each.tokens for each in together] == [each.tokens for each in alone]
    assert [each.ended for each in together] == [each.ended for each in alone]
    assert spy.calls == 2, "one call for each length of prompt"
    assert len(together[2].tokens) <= 5, "each has its own budget"


def test_words_are_those_of_their_own_clip(model: WhisperModel) -> None:
    clips = [noise(2, seed=1), noise(3, seed=2)]
    tokens = [1_000, 2_000, 3_000]
    alone = model.align(model.encode(clips[1:], 6), 0, "en", tokens)
    assert model.align(model.encode(clips, 6), 1, "en", tokens) == alone


async def test_an_engine_takes_its_model_from_a_directory(directory: Path) -> None:
    settings = Settings(model_path=directory, compute_type="float32")
    assert settings.models == ()
    engine = FasterWhisperEngine(settings)
    await engine.start()
    try:
        session = engine.open(SessionConfig())
        session.accept_audio(float_to_pcm(noise(1)))
        transcript = await session.final(session.samples)
        assert (transcript.end, "yue" in engine.languages) == (16_000, True)
    finally:
        await engine.close()
