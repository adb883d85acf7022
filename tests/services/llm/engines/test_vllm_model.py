"""Where vLLM finds its model, and what is said where it cannot."""

from pathlib import Path

import pytest

from chassis.registry import UnknownEngineError
from chassis.weights import UnknownModelError
from services.llm.engines import create
from services.llm.engines.vllm_model import ModelError, locate, model_name
from services.llm.settings import Settings


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("/models/qwen3-8b", "qwen3-8b"),
        ("./models/qwen3-8b/", "qwen3-8b"),
        ("~/qwen3-8b", "qwen3-8b"),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("smollm2-135m", "smollm2-135m"),
    ],
)
def test_a_folder_is_called_by_its_own_name(model: str, name: str) -> None:
    assert model_name(model) == name


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert locate(str(tmp_path)) == str(tmp_path)


def test_a_name_on_the_hub_is_left_to_vllm() -> None:
    assert locate("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"


def test_a_folder_without_a_model_is_an_error_that_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"VOXFLEET_LLM_MODEL: expected a folder in Hugging Face format.*config\.json"):
        locate(str(tmp_path))


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="VOXFLEET_LLM_MODEL"):
        locate(str(tmp_path / "nowhere"))


def test_a_model_of_the_store_in_another_format_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"smollm2-135m without config\.json"):
        locate("smollm2-135m")


def test_a_model_that_the_store_does_not_have_is_an_error_that_lists_those_it_has() -> None:
    with pytest.raises(UnknownModelError, match="smollm2-135m"):
        locate("qwen9")


def test_without_vllm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.llm.engines.vllm.find_spec", lambda _: None)
    with pytest.raises(UnknownEngineError, match=r"VOXFLEET_LLM_ENGINE.*pip install 'voxfleet\[vllm\]'"):
        create(Settings(engine="vllm", model="Qwen/Qwen3-8B"))
