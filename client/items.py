"""An item of a conversation as the client knows it: what was said, a function call, or the answer to one."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item.

    `type` is message, function_call or function_call_output. `text` is what a message says, spoken or written, or what
    a function answered; `role` (user, assistant, system) is a message's, `name` and `arguments` (JSON) are a call's,
    `call_id` a call's and its answer's. What an item does not have is empty.
    """

    id: str
    type: str
    role: str = ""
    text: str = ""
    name: str = ""
    call_id: str = ""
    arguments: str = ""

    def as_json(self) -> Mapping[str, object]:
        """The item as `conversation.item.create` takes it: speech becomes text. An empty `id` is left to the server."""
        base: dict[str, object] = {"type": self.type}
        if self.id:
            base["id"] = self.id
        match self.type:
            case "function_call":
                return base | {"call_id": self.call_id, "name": self.name, "arguments": self.arguments}
            case "function_call_output":
                return base | {"call_id": self.call_id, "output": self.text}
            case _:
                kind = "output_text" if self.role == "assistant" else "input_text"
                return base | {"role": self.role, "content": [{"type": kind, "text": self.text}]}
