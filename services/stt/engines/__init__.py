"""The engines by name; an engine's module is imported only when it is chosen."""

from collections.abc import Mapping

from chassis.registry import resolve
from services.stt.engines.base import Engine
from services.stt.settings import Settings

ENGINES: Mapping[str, str] = {"faster_whisper": "services.stt.engines.faster_whisper:FasterWhisperEngine"}


def create(settings: Settings) -> Engine:
    """The engine that the settings name. Raises UnknownEngineError."""
    engine: Engine = resolve(ENGINES, settings.engine, "VOXFLEET_STT_ENGINE")(settings)
    return engine
