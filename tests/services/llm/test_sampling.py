"""How models are sampled where nobody says."""

import pytest

from services.llm.sampling import OTHERS, Sampling, sampling_of
from services.llm.settings import Settings


@pytest.mark.parametrize(
    ("model", "temperature", "top_k"),
    [
        ("Qwen/Qwen3-8B", 0.7, 20),
        ("/models/qwen3-8b-awq", 0.7, 20),
        ("Qwen/Qwen2.5-7B-Instruct", 0.7, 20),
        ("meta-llama/Llama-3.1-8B-Instruct", 0.6, 0),
        ("google/gemma-3-4b-it", 1.0, 64),
    ],
)
def test_a_family_is_told_by_the_name_of_the_model(model: str, temperature: float, top_k: int) -> None:
    sampling = sampling_of(model)
    assert (sampling.temperature, sampling.top_k) == (temperature, top_k)


def test_a_family_that_is_not_listed_is_sampled_close_to_greedily() -> None:
    assert sampling_of("acme/parrot-1b") == OTHERS == Sampling(temperature=0.3, top_p=0.9)


def test_the_family_decides_what_the_settings_leave_open() -> None:
    settings = Settings(engine="vllm", model="Qwen/Qwen3-8B", top_p=0.5)
    assert (settings.temperature, settings.top_p, settings.repeat_penalty) == (0.7, 0.5, 1.0)


def test_the_environment_counts_as_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFLEET_LLM_TEMPERATURE", "0.1")
    assert Settings(engine="vllm", model="Qwen/Qwen3-8B").temperature == 0.1


def test_other_engines_keep_the_settings_own_defaults() -> None:
    settings = Settings(model="qwen2.5-1.5b-q4")
    assert (settings.temperature, settings.top_p, settings.repeat_penalty) == (0.3, 0.9, 1.05)


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "/models/qwen3", "./qwen3"])
def test_a_model_that_is_not_in_the_weights_store_is_not_pulled_from_it(model: str) -> None:
    assert Settings(engine="vllm", model=model).models == ()


def test_a_model_of_the_weights_store_is_pulled() -> None:
    assert Settings(engine="vllm", model="smollm2-135m").models == ("smollm2-135m",)
