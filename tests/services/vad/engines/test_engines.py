"""Engines by name."""

import pytest

from chassis.registry import UnknownEngineError
from services.vad.engines import create, create_end_of_turn
from services.vad.settings import Settings


def test_an_unknown_engine_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(UnknownEngineError, match=r"VOXFLEET_VAD_ENGINE: unknown engine 'sileri'; engines: silero"):
        create(Settings(engine="sileri"))
    with pytest.raises(UnknownEngineError, match=r"VOXFLEET_VAD_END_OF_TURN_ENGINE: .* engines: none, smart_turn"):
        create_end_of_turn(Settings(end_of_turn_engine="smart"))


async def test_no_end_of_turn_engine_has_no_opinion() -> None:
    engine = create_end_of_turn(Settings(end_of_turn_engine="none"))
    await engine.start()
    assert engine.context_samples == 0
    assert await engine.judge(bytes(32_000)) is None
    await engine.close()
