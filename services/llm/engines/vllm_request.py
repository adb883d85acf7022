"""What is asked of vLLM, free of vLLM's own types."""

from dataclasses import dataclass

from services.llm.chat import Chat
from services.llm.engines.slots import Priority
from services.llm.engines.tool_format import grammar
from services.llm.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Request:
    """One generation from a whole `prompt` in the model's chat template.

    `grammar` is a Lark grammar for llguidance, empty: any text. Temperature 0 is greedy.
    """

    prompt: str
    priority: Priority
    max_tokens: int
    temperature: float
    top_p: float = 1.0
    top_k: int = 0
    presence_penalty: float = 0.0
    repeat_penalty: float = 1.0
    grammar: str = ""


def prefill(prompt: str) -> Request:
    """Decodes `prompt` into the prefix cache. One token is generated, because vLLM has no request for none."""
    return Request(prompt, Priority.PREFILL, max_tokens=1, temperature=0)


def answer(prompt: str, chat: Chat, sampling: Sampling, repeat_penalty: float) -> Request:
    """The answer to `prompt`, as `chat` asks for it and, where it does not say, as `sampling` does."""
    # What penalties hit is what a call must repeat: its form, names, and the person's own words.
    penalties = (0.0, 1.0) if chat.tools else (sampling.presence_penalty, repeat_penalty)
    return Request(
        prompt,
        Priority.ANSWER,
        chat.max_output_tokens,
        chat.temperature,
        chat.top_p,
        sampling.top_k,
        *penalties,
        grammar=grammar(chat.tools, chat.required_tools) if chat.tools else "",
    )
