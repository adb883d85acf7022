"""What vLLM is asked, and the arguments it is started with."""

from services.llm.chat import Chat, Tool
from services.llm.engines.slots import Priority
from services.llm.engines.tool_format import grammar
from services.llm.engines.vllm_backend import engine_options
from services.llm.engines.vllm_request import answer, prefill
from services.llm.sampling import Sampling
from services.llm.settings import Settings

CHAT = Chat("Be brief.", (), (), frozenset(), temperature=0.4, top_p=0.7, max_output_tokens=20)
WEATHER = Tool("get_weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
SAMPLING = Sampling(temperature=0.7, top_p=0.8, top_k=20, presence_penalty=0.5)


def test_a_prefill_asks_for_one_token_after_all_answers() -> None:
    request = prefill("What is")
    assert (request.prompt, request.max_tokens, request.priority) == ("What is", 1, Priority.PREFILL)
    assert request.priority > answer("", CHAT, SAMPLING, 1.0).priority


def test_the_chat_decides_and_the_family_adds_what_a_chat_does_not_say() -> None:
    request = answer("Hi", CHAT, SAMPLING, repeat_penalty=1.1)
    assert (request.temperature, request.top_p, request.max_tokens) == (0.4, 0.7, 20)
    assert (request.top_k, request.presence_penalty, request.repeat_penalty) == (20, 0.5, 1.1)
    assert request.grammar == ""


def test_with_tools_a_grammar_holds_the_answer_and_nothing_is_penalised() -> None:
    chat = Chat("", (), (WEATHER,), frozenset({"get_weather"}), 0, 1, 20)
    request = answer("Hi", chat, SAMPLING, repeat_penalty=1.1)
    assert request.grammar == grammar((WEATHER,), {"get_weather"})
    assert (request.presence_penalty, request.repeat_penalty) == (0.0, 1.0)


def test_the_settings_become_vllm_s_arguments() -> None:
    settings = Settings(
        engine="vllm",
        model="Qwen/Qwen3-8B",
        context_tokens=8192,
        vllm_gpu_memory_utilization=0.3,
        vllm_max_num_seqs=128,
        vllm_dtype="bfloat16",
        vllm_quantization="fp8",
        vllm_tensor_parallel_size=2,
        vllm_enforce_eager=True,
        vllm_revision="abc",
    )
    options = engine_options(settings, "Qwen/Qwen3-8B")
    told = {
        "model": "Qwen/Qwen3-8B",
        "revision": "abc",
        "max_model_len": 8192,
        "gpu_memory_utilization": 0.3,
        "max_num_seqs": 128,
        "dtype": "bfloat16",
        "quantization": "fp8",
        "tensor_parallel_size": 2,
        "enforce_eager": True,
        "enable_prefix_caching": True,
        "scheduling_policy": "priority",
    }
    assert {name: options[name] for name in told} == told
    assert "kv_cache_memory_bytes" not in options


def test_what_is_left_empty_is_left_to_vllm() -> None:
    options = engine_options(Settings(engine="vllm", model="./qwen3"), "/models/qwen3")
    assert (options["quantization"], options["revision"]) == (None, None)


def test_a_cache_of_a_fixed_size_is_told_in_bytes() -> None:
    options = engine_options(Settings(engine="vllm", vllm_kv_cache_gib=0.5), "/models/qwen3")
    assert options["kv_cache_memory_bytes"] == 1 << 29
