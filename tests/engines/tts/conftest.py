"""Fish Speech on this machine's CPU: the real architecture, small, with random weights."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import pytest
import pytest_asyncio

from services.tts.engines.fish.engine import FishSpeechEngine
from services.tts.engines.fish.model import FishModel, ModelSettings
from services.tts.engines.fish.sampling import Sampling
from services.tts.settings import Settings
from services.tts.stage import build
from tests.engines.tts.tiny import write_weights
from tests.services.tts.test_reference_voices import recording
from tests.support.server import serving

LIKELIEST = Sampling(temperature=0.0, top_p=1.0, repetition_penalty=1.0)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: three utterances at once, always the likeliest code, a voice named anna."""

    engine: FishSpeechEngine
    channel: grpc.aio.Channel


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the weights."""
    directory = tmp_path_factory.mktemp("fish") / "tiny"
    write_weights(directory)
    return directory


@pytest.fixture(scope="session")
def model_settings(weights: Path) -> ModelSettings:
    """Three rows on the CPU, nothing compiled."""
    return ModelSettings(weights, "cpu", 3, 512, 1, "none", LIKELIEST)


@pytest.fixture(scope="session")
def model(model_settings: ModelSettings) -> FishModel:
    """The model alone."""
    return FishModel(model_settings)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """The model behind its servicer."""
    voices = tmp_path_factory.mktemp("voices")
    (voices / "en").mkdir()
    (voices / "en" / "anna.wav").write_bytes(recording(seconds=2.0, level=0.3))
    (voices / "en" / "anna.txt").write_text("Hello, I am Anna.\n")
    settings = Settings(
        port=0,
        engine="fish_speech",
        fish_weights=weights,
        fish_voices=voices,
        fish_device="cpu",
        fish_rows=3,
        fish_positions=1024,
        fish_left_context=24,
        fish_temperature=0.0,
        fish_top_p=1.0,
        fish_repetition_penalty=1.0,
        reference_cache=2,
        max_streams=8,
    )
    stage = await build(settings)
    assert isinstance(stage.engine, FishSpeechEngine)
    async with serving(stage, settings) as channel:
        yield Server(stage.engine, channel)
