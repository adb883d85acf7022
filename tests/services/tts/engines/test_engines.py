"""Engines by name."""

import pytest

from chassis.registry import UnknownEngineError
from services.tts.engines import create
from services.tts.settings import Settings
from services.tts.stage import build


def test_an_unknown_engine_is_answered_with_the_engines() -> None:
    with pytest.raises(
        UnknownEngineError, match="VOXFLEET_TTS_ENGINE: unknown engine 'loud'; engines: embedded, fish_speech"
    ):
        create(Settings(engine="loud"))


async def test_an_unknown_default_voice_stops_the_server_from_starting() -> None:
    with pytest.raises(ValueError, match="VOXFLEET_TTS_VOICE_ZH: voice: expected one of heart"):
        await build(Settings(voice_zh="nobody"))


async def test_a_language_that_the_engine_lacks_stops_the_server_from_starting() -> None:
    with pytest.raises(ValueError, match="VOXFLEET_TTS_LANGUAGE: language: expected one of en; got 'zh'"):
        await build(Settings(engine="hibari", language="zh"))
