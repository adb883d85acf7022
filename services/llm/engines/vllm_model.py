"""Where vLLM finds its model, and the model's chat template and tokenizer."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from chassis.errors import StageError
from chassis.weights import open_store

CONFIG_FILE = "config.json"
TEMPLATE_OPTIONS: Mapping[str, Any] = {"enable_thinking": False}
"""What templates may be told: models that can think aloud (Qwen3, SmolLM3) answer at once, as a voice must. Other
templates do not look at it."""


class ModelError(RuntimeError):
    """The setting names no model that vLLM can load; the message says what was expected."""


def model_name(model: str) -> str:
    """The name by which clients ask for the model: of a folder its own name, else what the setting says."""
    path = Path(model)
    return path.name if path.is_absolute() or model.startswith((".", "~")) else model


def locate(model: str) -> str:
    """What vLLM is to load: a folder, or a name on the model hub, `owner/name`, from where vLLM fetches it.

    Raises ModelError, and WeightsError where the weights store does not have the model.
    """
    if "/" not in model:
        folder = open_store().ensure(model)
    else:
        folder = Path(model).expanduser()
        if model_name(model) == model and not folder.is_dir():
            return model
    if not (folder / CONFIG_FILE).is_file():
        expected = "a folder in Hugging Face format (config.json, tokenizer and safetensors)"
        raise ModelError(f"VOXFLEET_LLM_MODEL: expected {expected}, got {folder} without {CONFIG_FILE}")
    return str(folder)


class HuggingFaceTemplate:
    """See `ChatTemplate`; also turns prompts into tokens. Loaded on construction; for one thread.

    The tokenizer is a copy of its own: the one that vLLM decodes with must not be used from a second thread.
    """

    def __init__(self, model: str, revision: str | None) -> None:
        tokenizers = import_module("transformers").AutoTokenizer
        self._tokenizer: Any = tokenizers.from_pretrained(model, revision=revision)
        self._refusal: type[Exception] = import_module("jinja2").TemplateError
        if not self._tokenizer.chat_template:
            raise ModelError(f"VOXFLEET_LLM_MODEL: expected a model with a chat template, got {model} without")

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The conversation in the template, up to where the assistant speaks.

        Raises StageError TEMPLATE_REFUSED (INVALID_ARGUMENT): some templates take no instructions, or demand that the
        person and the assistant alternate.
        """
        try:
            rendered: str = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **TEMPLATE_OPTIONS
            )
        except self._refusal as error:
            expected = f"a conversation that the model's chat template takes ({error})"
            raise StageError.invalid("config.history", expected, reason="TEMPLATE_REFUSED") from error
        return rendered

    def tokens(self, prompt: str) -> list[int]:
        """The tokens of a rendered prompt, which holds all special tokens already."""
        ids: list[int] = self._tokenizer.encode(prompt, add_special_tokens=False)
        return ids

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a rendered prompt."""
        return len(self.tokens(prompt))
