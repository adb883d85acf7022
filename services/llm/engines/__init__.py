"""The engines by name; an engine's module is imported only when it is chosen."""

from collections.abc import Mapping

from chassis.registry import resolve
from services.llm.engines.base import Engine
from services.llm.settings import Settings

ENGINES: Mapping[str, str] = {
    "llama_cpp": "services.llm.engines.llama_cpp:LlamaCppEngine",
    "openai_server": "services.llm.engines.openai_server:OpenAiServerEngine",
    "vllm": "services.llm.engines.vllm:VllmEngine",
}


def create(settings: Settings) -> Engine:
    """The language model engine that the settings name. Raises UnknownEngineError."""
    engine: Engine = resolve(ENGINES, settings.engine, "VOXFLEET_LLM_ENGINE")(settings)
    return engine
