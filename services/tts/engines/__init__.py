"""The engines by name; an engine's module is imported only when it is chosen."""

from collections.abc import Mapping

from chassis.registry import resolve
from services.tts.engines.base import Engine
from services.tts.settings import Settings

ENGINES: Mapping[str, str] = {
    "embedded": "services.tts.engines.embedded:EmbeddedEngine",
    "fish_speech": "services.tts.engines.fish.engine:FishSpeechEngine",
    "hibari": "services.tts.engines.hibari:HibariEngine",
    "kokoro": "services.tts.engines.kokoro:KokoroEngine",
    "openai_server": "services.tts.engines.openai_server:OpenAiServerEngine",
}


def create(settings: Settings) -> Engine:
    """The engine that the settings name. Raises UnknownEngineError."""
    engine: Engine = resolve(ENGINES, settings.engine, "VOXFLEET_TTS_ENGINE")(settings)
    return engine
