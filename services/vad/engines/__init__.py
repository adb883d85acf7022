"""The engines by name; an engine's module is imported only when it is chosen."""

from collections.abc import Mapping

from chassis.registry import resolve
from services.vad.engines.base import EndOfTurnEngine, Engine
from services.vad.settings import Settings

ENGINES: Mapping[str, str] = {"silero": "services.vad.engines.silero:SileroEngine"}
END_OF_TURN_ENGINES: Mapping[str, str] = {
    "none": "services.vad.engines.no_end_of_turn:NoEndOfTurn",
    "smart_turn": "services.vad.engines.smart_turn:SmartTurnEngine",
}


def create(settings: Settings) -> Engine:
    """The voice activity engine that the settings name. Raises UnknownEngineError."""
    engine: Engine = resolve(ENGINES, settings.engine, "VOXFLEET_VAD_ENGINE")(settings)
    return engine


def create_end_of_turn(settings: Settings) -> EndOfTurnEngine:
    """The end-of-turn engine that the settings name. Raises UnknownEngineError."""
    factory = resolve(END_OF_TURN_ENGINES, settings.end_of_turn_engine, "VOXFLEET_VAD_END_OF_TURN_ENGINE")
    engine: EndOfTurnEngine = factory(settings)
    return engine
