import pytest

from chassis.errors import Code, StageError
from client.sound.hearing import transcribe
from client.sound.speech import SpeechError
from tests.support.audio import tone
from tests.support.scripted import Script, scripted_fleet


async def test_audio_is_transcribed_by_the_stage() -> None:
    async with scripted_fleet(Script(texts=["it is noon"])) as settings:
        assert await transcribe(tone(1.5), target=settings.stt_target) == "it is noon"


async def test_a_refusal_is_said_with_its_reason() -> None:
    full = StageError(Code.RESOURCE_EXHAUSTED, "FULL", "the stage is full")
    async with scripted_fleet(Script(failures={"stt": full})) as settings:
        with pytest.raises(SpeechError, match="the stage is full"):
            await transcribe(tone(0.5), target=settings.stt_target)


async def test_a_stage_that_is_not_there_is_named() -> None:
    with pytest.raises(SpeechError, match=r"127\.0\.0\.1:1"):
        await transcribe(tone(0.5), target="127.0.0.1:1")


async def test_a_stage_that_takes_too_long_is_named() -> None:
    async with scripted_fleet(Script(text_delay_s=5.0)) as settings:
        with pytest.raises(SpeechError, match=r"not done within 0\.2 s"):
            await transcribe(tone(0.5), target=settings.stt_target, timeout_s=0.2)
