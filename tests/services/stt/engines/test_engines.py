import pytest

from chassis.registry import UnknownEngineError
from chassis.weights import UnknownModelError
from services.stt.engines import ENGINES, create
from services.stt.settings import Settings


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_in_the_table_can_be_created(name: str) -> None:
    assert create(Settings(engine=name))


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownEngineError, match=r"VOXFLEET_STT_ENGINE.*'wav2letter'.*faster_whisper"):
        create(Settings(engine="wav2letter"))


async def test_an_unknown_model_fails_the_start_with_those_there_are_and_can_be_closed() -> None:
    engine = create(Settings(model="whisper-huge"))
    try:
        with pytest.raises(UnknownModelError, match=r"whisper-huge.*whisper-base"):
            await engine.start()
    finally:
        await engine.close()
