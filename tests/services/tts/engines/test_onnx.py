"""onnxruntime sessions on the device that was asked for, or none."""

import onnxruntime
import pytest

from services.tts.engines.hibari import HibariEngine
from services.tts.engines.onnx import open_session
from services.tts.settings import Settings


def test_a_device_that_this_build_lacks_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(RuntimeError, match=r"VOXFLEET_TTS_ONNX_PROVIDER: .* for cuda install onnxruntime-gpu"):
        open_session(b"", 1, "cuda")


def test_a_device_that_does_not_start_is_an_error_and_not_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class FallenBack:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", FallenBack)
    with pytest.raises(RuntimeError, match="CUDAExecutionProvider did not start"):
        open_session(b"", 1, "cuda")


async def test_the_engine_does_not_start_without_the_device_it_was_told_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    engine = HibariEngine(Settings(engine="hibari", onnx_provider="cuda"))
    with pytest.raises(RuntimeError, match="VOXFLEET_TTS_ONNX_PROVIDER"):
        await engine.start()
    await engine.close()
