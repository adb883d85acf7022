"""Settings of the language model server."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import Port
from chassis.upstream_settings import UpstreamSettings
from services.llm.sampling import sampling_of


class Settings(UpstreamSettings):
    """Language model server: answers one turn of a conversation a stream."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_LLM_", extra="ignore", env_ignore_empty=True)

    port: Port = Field(8003, description="gRPC port; 0 picks a free one")
    engine: str = Field("llama_cpp", description="language model engine: llama_cpp, vllm or openai_server")
    model: str = Field(
        "qwen2.5-1.5b-q4",
        description="model in the weights store: qwen2.5-1.5b-q4, qwen2.5-0.5b-q4, smollm2-135m; for vllm a folder in "
        "Hugging Face format (/path, ./path) or owner/name on the model hub",
    )
    threads: int = Field(2, ge=1, description="CPU threads of the model")
    slots: int = Field(4, ge=1, le=256, description="answers generated at once, and sessions whose prompt stays warm")
    context_tokens: int = Field(
        4096, ge=256, description="tokens of prompt and answer together, a slot; the oldest turns give way"
    )
    batch_tokens: int = Field(
        32,
        ge=8,
        description="prompt tokens decoded in one step; more is faster, but holds up the other streams' answers longer",
    )
    max_waiting: int = Field(16, ge=0, description="answers that may wait for a slot; one more is RESOURCE_EXHAUSTED")
    max_output_tokens: int = Field(160, ge=1, description="most tokens of an answer, where a stream sets none")
    temperature: float = Field(0.3, ge=0, le=2, description="sampling temperature, where a stream sets none")
    top_p: float = Field(0.9, gt=0, le=1, description="nucleus sampling mass, where a stream sets none")
    repeat_penalty: float = Field(1.05, ge=1, le=2, description="penalty on repeated tokens; 1 is none")
    warm_instructions: str = Field(
        "", description="system prompt decoded into every slot at start, so that a new session finds it there"
    )

    upstream_prefill: bool = Field(
        False,
        description="openai_server: warm its prefix cache while the person speaks, by requests for one token each",
    )
    upstream_max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="openai_server: the field that bounds an answer: max_tokens or max_completion_tokens"
    )

    vllm_gpu_memory_utilization: float = Field(
        0.45, gt=0, le=1, description="vllm: share of each card's memory for weights and prefix cache together"
    )
    vllm_kv_cache_gib: float | None = Field(
        None, gt=0, description="vllm: GiB of prefix cache on each card; unset: what the weights leave of the share"
    )
    vllm_max_num_seqs: int = Field(64, ge=1, le=1024, description="vllm: answers and prefills that share one step")
    vllm_max_num_batched_tokens: int = Field(
        2048, ge=64, description="vllm: tokens of one step; more makes prompts faster and answers beside them slower"
    )
    vllm_block_size: int = Field(16, ge=8, le=256, description="vllm: tokens that the prefix cache finds at once")
    vllm_dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="vllm: type of weights and activations: auto, bfloat16, float16 or float32"
    )
    vllm_quantization: str = Field("", description="vllm: quantisation on loading, such as fp8; empty: as the model is")
    vllm_tensor_parallel_size: int = Field(1, ge=1, description="vllm: cards that share every layer")
    vllm_enforce_eager: bool = Field(False, description="vllm: no compilation or CUDA graphs; starts fast, runs slowly")
    vllm_revision: str = Field("", description="vllm: commit of a model on the hub; empty: its newest")

    @property
    def models(self) -> tuple[str, ...]:
        # vLLM also takes a folder or a name on the hub, and a model there has an owner.
        elsewhere = self.engine == "openai_server" or (self.engine == "vllm" and "/" in self.model)
        return () if elsewhere else (self.model,)

    @model_validator(mode="after")
    def _sample_as_the_model_s_maker_says(self) -> Self:
        if self.engine == "vllm":
            sampling = sampling_of(self.model)
            for name in ("temperature", "top_p", "repeat_penalty"):
                if name not in self.model_fields_set:
                    setattr(self, name, getattr(sampling, name))
        return self
