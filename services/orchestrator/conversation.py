"""The conversation: its items in order, and what the language model is shown of them. Pure.

An assistant's item holds what was *heard* of it, not what was generated.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal, Self

from voxfleet.llm.v1 import llm_pb2

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class ItemKind(Enum):
    """What an item is; the values are the protocol's names."""

    MESSAGE = "message"
    FUNCTION_CALL = "function_call"
    FUNCTION_CALL_OUTPUT = "function_call_output"


class Role(Enum):
    """Who said a message; the values are the protocol's names."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message: text that was written, or what was understood of audio (None: not yet, or never)."""

    text: str | None
    spoken: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `text` is a message's text or a function call's output; `spoken` says that it was audio.

    `parts` are those of a message that has several, or whose audio is still to be understood; `text` is then what is
    known of them, one a line. `name`, `call_id` and `arguments` (JSON text) are those of a function call; an output has
    only the `call_id`.
    """

    id: str
    kind: ItemKind = ItemKind.MESSAGE
    role: Role = Role.USER
    text: str = ""
    spoken: bool = False
    status: ItemStatus = "completed"
    language: str = ""
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    parts: tuple[Part, ...] = ()

    @classmethod
    def of_parts(cls, item_id: str, role: Role, parts: tuple[Part, ...]) -> Self:
        """A message of `parts`."""
        text = "\n".join(part.text for part in parts if part.text)
        return cls(item_id, role=role, text=text, parts=parts)

    def understood(self, index: int, text: str) -> "Item":
        """The message, once `text` was understood of its part number `index`."""
        parts = (*self.parts[:index], replace(self.parts[index], text=text), *self.parts[index + 1 :])
        return Item.of_parts(self.id, self.role, parts)


class UnknownItemError(LookupError):
    """No item has that id."""


class Conversation:
    """Items in the order they happened. Ids are unique. At most `limit` items are kept: the first give way to a new
    one, wherever that is put."""

    def __init__(self, limit: int = 1_000) -> None:
        self._items: dict[str, Item] = {}
        self._limit = limit

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> list[Item]:
        """All items, oldest first."""
        return list(self._items.values())

    @property
    def last_id(self) -> str | None:
        """Id of the newest item."""
        return next(reversed(self._items), None)

    def get(self, item_id: str) -> Item:
        """Raises UnknownItemError."""
        if item_id not in self._items:
            raise UnknownItemError(item_id)
        return self._items[item_id]

    def before(self, item_id: str) -> str | None:
        """Id of the item before `item_id`; None for the first. Raises UnknownItemError."""
        self.get(item_id)
        ids = list(self._items)
        at = ids.index(item_id)
        return ids[at - 1] if at else None

    def add(self, item: Item, after: str | None = None) -> None:
        """Appends `item`, or inserts it behind `after` ("root": at the front). Raises ValueError where its id is taken
        and UnknownItemError where `after` is not there."""
        if item.id in self._items:
            raise ValueError(f"item id {item.id!r} is taken")
        if after is None:
            self._items[item.id] = item
        else:
            entries = list(self._items.items())
            at = 0 if after == "root" else [key for key, _ in entries].index(self.get(after).id) + 1
            entries.insert(at, (item.id, item))
            self._items = dict(entries)
        while len(self._items) > self._limit:
            del self._items[next(key for key in self._items if key != item.id)]

    def update(self, item: Item) -> None:
        """Replaces the item of the same id. Raises UnknownItemError."""
        self.get(item.id)
        self._items[item.id] = item

    def truncate(self, item_id: str, text: str) -> Item:
        """Cuts an item to the `text` that was heard of it and returns it. Raises UnknownItemError."""
        item = replace(self.get(item_id), text=text, status="incomplete")
        self._items[item_id] = item
        return item

    def delete(self, item_id: str) -> None:
        """Raises UnknownItemError."""
        self.get(item_id)
        del self._items[item_id]

    def messages(self) -> list[llm_pb2.Message]:
        """The conversation as the language model is shown it."""
        return messages(self._items.values())


def messages(items: Iterable[Item]) -> list[llm_pb2.Message]:
    """Items as the language model is shown them. Those without text say nothing and are left out; so are function calls
    that were never finished: they could not be answered."""
    told: list[llm_pb2.Message] = []
    for item in items:
        match item.kind:
            case ItemKind.MESSAGE if item.text.strip():
                told.append(llm_pb2.Message(role=_ROLES[item.role], text=item.text))
            case ItemKind.FUNCTION_CALL if item.status == "completed":
                call = llm_pb2.ToolCall(id=item.call_id, name=item.name, arguments_json=item.arguments)
                if told and told[-1].role == llm_pb2.ROLE_ASSISTANT:
                    told[-1].tool_calls.append(call)
                else:
                    told.append(llm_pb2.Message(role=llm_pb2.ROLE_ASSISTANT, tool_calls=[call]))
            case ItemKind.FUNCTION_CALL_OUTPUT:
                told.append(llm_pb2.Message(role=llm_pb2.ROLE_TOOL, text=item.text, tool_call_id=item.call_id))
    return told


_ROLES = {
    Role.SYSTEM: llm_pb2.ROLE_SYSTEM,
    Role.USER: llm_pb2.ROLE_USER,
    Role.ASSISTANT: llm_pb2.ROLE_ASSISTANT,
}
