"""vLLM on this machine's CPU with a small model, loaded once for all tests."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import grpc.aio
import pytest
import pytest_asyncio

from chassis.weights import open_store
from services.llm.engines.vllm import VllmEngine
from services.llm.settings import Settings
from services.llm.stage import build
from tests.support.server import serving

MODEL = "smollm2-135m"
FILE = "model.gguf"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: two generations share a step, one more answer may wait."""

    engine: VllmEngine
    channel: grpc.aio.Channel

    async def works(self) -> bool:
        """Whether the model's process holds a request. If not, the prefix cache is empty afterwards."""
        emptied: bool = await self.engine.backend.llm.reset_prefix_cache()
        return not emptied

    async def idle(self) -> None:
        """Waits until the model's process works on nothing; a story that was not stopped would take longer."""
        async with asyncio.timeout(5):
            while self.engine.running or await self.works():  # noqa: ASYNC110  # as a client would see it
                await asyncio.sleep(0.01)
        assert self.engine.load().used == 0


@pytest.fixture(scope="session")
def folder() -> Path:
    """The model as a folder in Hugging Face format, made once for each environment from the weights store's GGUF."""
    made = Path(sys.prefix) / "models" / MODEL
    if not (made / "config.json").is_file():
        transformers = import_module("transformers")
        source, new = open_store().ensure(MODEL), made.with_suffix(".new")
        dense = transformers.GgufConfig(dequantize=True)
        load = transformers.AutoModelForCausalLM.from_pretrained
        load(source, gguf_file=FILE, quantization_config=dense).save_pretrained(new)
        transformers.AutoTokenizer.from_pretrained(source, gguf_file=FILE).save_pretrained(new)
        new.rename(made)
    return made


@pytest.fixture(scope="session")
def settings(folder: Path) -> Settings:
    """Small steps, so that a long prompt takes many; a cache of small blocks, so that short prompts are found in it."""
    return Settings(
        engine="vllm",
        model=str(folder),
        port=0,
        max_waiting=1,
        context_tokens=2048,
        vllm_max_num_seqs=2,
        vllm_max_num_batched_tokens=64,
        vllm_block_size=32,
        vllm_kv_cache_gib=0.5,
        vllm_enforce_eager=True,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(settings: Settings) -> AsyncIterator[Server]:
    stage = await build(settings)
    assert isinstance(stage.engine, VllmEngine)
    async with serving(stage, settings) as channel:
        yield Server(stage.engine, channel)
