"""Chat templates of Hugging Face folders."""

import shutil
from pathlib import Path

import pytest

from chassis.errors import Code, StageError
from services.llm.engines.prompt import to_messages
from services.llm.engines.vllm_model import HuggingFaceTemplate, ModelError

THINKING = (
    "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}[assistant]"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
)
"""Leaves the thinking out where it is told to, as the template of Qwen3 does."""
PICKY = "{% if messages[0].role == 'system' %}{{ raise_exception('no instructions here') }}{% endif %}"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The model's tokenizer without its template."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path)
    return tmp_path


def test_the_model_s_own_template_is_used(folder: Path) -> None:
    template = HuggingFaceTemplate(str(folder), None)
    prompt = template.render(to_messages("Be brief.", (), "Hi"))
    assert prompt == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert template.count_tokens(prompt) == len(template.tokens(prompt)) < 30


def test_a_model_that_can_think_aloud_is_told_not_to(copy: Path) -> None:
    (copy / "chat_template.jinja").write_text(THINKING)
    assert HuggingFaceTemplate(str(copy), None).render(to_messages("", (), "Hi")).endswith("[assistant]<think></think>")


def test_a_conversation_that_the_template_does_not_take_is_refused(copy: Path) -> None:
    (copy / "chat_template.jinja").write_text(PICKY)
    with pytest.raises(StageError, match="no instructions here") as caught:
        HuggingFaceTemplate(str(copy), None).render(to_messages("Be brief.", (), "Hi"))
    assert (caught.value.code, caught.value.reason) == (Code.INVALID_ARGUMENT, "TEMPLATE_REFUSED")


def test_a_model_without_a_template_is_an_error(copy: Path) -> None:
    with pytest.raises(ModelError, match="expected a model with a chat template"):
        HuggingFaceTemplate(str(copy), None)
