"""vLLM's `AsyncLLM`, with the names and the types of this package. The model runs in processes that vLLM starts.

Everything that knows vLLM's own names is here; they are those of version 0.32.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from chassis.errors import Code, StageError
from services.llm.engines.completion import Piece
from services.llm.engines.vllm_request import Request
from services.llm.settings import Settings

ENVIRONMENT: Mapping[str, str] = {
    # A fork would copy gRPC's threads and locks in whatever state they are.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # Logs go where the stage's own go.
    "VLLM_CONFIGURE_LOGGING": "0",
    # vLLM reports to its makers otherwise.
    "VLLM_NO_USAGE_STATS": "1",
}
"""What vLLM reads from the environment when it is imported, where the environment does not say otherwise."""
GIB = 1 << 30


def engine_options(settings: Settings, model: str) -> dict[str, Any]:
    """The settings as vLLM's engine arguments; `model` is a folder or a name on the hub."""
    options: dict[str, Any] = {
        "model": model,
        "revision": settings.vllm_revision or None,
        "tensor_parallel_size": settings.vllm_tensor_parallel_size,
        "dtype": settings.vllm_dtype,
        "quantization": settings.vllm_quantization or None,
        "enforce_eager": settings.vllm_enforce_eager,
        "gpu_memory_utilization": settings.vllm_gpu_memory_utilization,
        "max_model_len": settings.context_tokens,
        "max_num_seqs": settings.vllm_max_num_seqs,
        "max_num_batched_tokens": settings.vllm_max_num_batched_tokens,
        "block_size": settings.vllm_block_size,
        "enable_prefix_caching": True,
        # A step takes what is left of its tokens for a part of a long prompt, so no prompt holds answers up.
        "enable_chunked_prefill": True,
        "scheduling_policy": "priority",
        # Lark grammars in llguidance's own dialect are understood by no other.
        "structured_outputs_config": {"backend": "guidance"},
        "disable_log_stats": True,
        # The maker's sampling comes from `services.llm.sampling`; from the folder it would change only some fields.
        "generation_config": "vllm",
    }
    if settings.vllm_kv_cache_gib is not None:
        options["kv_cache_memory_bytes"] = int(settings.vllm_kv_cache_gib * GIB)
    return options


class VllmBackend:
    """One model, loaded on construction, which blocks. `generate` is for one event loop."""

    def __init__(self, settings: Settings, model: str) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._vllm: Any = import_module("vllm")
        self._sampling: Any = import_module("vllm.sampling_params")
        self._refused: type[Exception] = import_module("vllm.exceptions").VLLMClientError
        self._dead: type[Exception] = import_module("vllm.v1.engine.exceptions").EngineDeadError
        arguments = self._vllm.AsyncEngineArgs(**engine_options(settings, model))
        self.llm: Any = import_module("vllm.v1.engine.async_llm").AsyncLLM.from_engine_args(arguments)

    async def generate(self, request: Request, tokens: Sequence[int]) -> AsyncIterator[Piece]:
        """Generates after the prompt's `tokens`; cancelling the task that reads this ends the generation.

        Raises StageError: REQUEST_REFUSED (INVALID_ARGUMENT) what vLLM does not take, such as a tool's schema of which
        no grammar can be made; MODEL_GONE (UNAVAILABLE) where its process has ended; GENERATION_FAILED (INTERNAL).
        """
        prompt = {"prompt_token_ids": list(tokens)}
        name = uuid.uuid4().hex
        silent, count, over = True, 0, False
        try:
            # One step's text each; steps that come faster than they are read are joined.
            async for output in self.llm.generate(
                prompt, self._parameters(request), name, priority=int(request.priority)
            ):
                completion = output.outputs[0]
                count += len(completion.token_ids)
                over = completion.finish_reason is not None
                if over and completion.finish_reason not in ("stop", "length"):
                    raise StageError(Code.INTERNAL, "GENERATION_FAILED", f"vLLM ended it: {completion.finish_reason}")
                if completion.text or over:
                    yield Piece(
                        text=completion.text,
                        first=silent,
                        last=over,
                        truncated=completion.finish_reason == "length",
                        input_tokens=len(tokens),
                        cached_tokens=output.num_cached_tokens or 0,
                        output_tokens=count,
                    )
                    silent = False
        except self._refused as error:
            field = "tools" if request.grammar else "config"
            expected = f"what vLLM takes ({error})"
            raise StageError.invalid(field, expected, reason="REQUEST_REFUSED") from error
        except self._dead as error:
            raise StageError(Code.UNAVAILABLE, "MODEL_GONE", "the model's process has ended") from error
        finally:
            if not over:
                # vLLM aborts what it knows of; a cancel may come just before that.
                await self.llm.abort(name)

    async def close(self) -> None:
        """Ends the model's processes. Every generation must have ended."""
        if (reader := self.llm.output_handler) is not None:
            # It would take the end of the process for its death.
            reader.cancel()
            await asyncio.wait({reader})
        await asyncio.to_thread(self.llm.shutdown)

    def _parameters(self, request: Request) -> Any:
        grammar = self._sampling.StructuredOutputsParams(grammar=request.grammar) if request.grammar else None
        return self._vllm.SamplingParams(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            presence_penalty=request.presence_penalty,
            repetition_penalty=request.repeat_penalty,
            structured_outputs=grammar,
            output_kind=self._sampling.RequestOutputKind.DELTA,
        )
