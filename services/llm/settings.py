"""Settings of the language model server."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Port, StageSettings


class Settings(StageSettings):
    """Language model server: answers one turn of a conversation a stream."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_LLM_", extra="ignore", env_ignore_empty=True)

    port: Port = Field(8003, description="gRPC port; 0 picks a free one")
    engine: str = Field("llama_cpp", description="language model engine: llama_cpp")
    model: str = Field(
        "qwen2.5-1.5b-q4", description="model in the weights store: qwen2.5-1.5b-q4, qwen2.5-0.5b-q4, smollm2-135m"
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

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,)
