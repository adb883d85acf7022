"""What a client knows of its conversation, so that another session can go on with it. Pure."""

from collections import OrderedDict
from dataclasses import replace

from client.events import (
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ReplyTextDelta,
    ReplyTranscriptDelta,
    ServerEvent,
    TranscriptionCompleted,
)
from client.items import Item

MAX_ITEMS = 128
"""The oldest items give way, as they do where a language model's context is full."""


class Conversation:
    """The items of a conversation in their order, from the events that tell of them; the latest 128."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, Item] = OrderedDict()

    @property
    def items(self) -> tuple[Item, ...]:
        """The items that say something, oldest first. Of a reply in progress: its words so far."""
        return tuple(item for item in self._items.values() if item.text or item.type != "message")

    @property
    def unanswered(self) -> bool:
        """Whether the last word is the person's, or a function's."""
        last = self.items[-1] if self.items else None
        return last is not None and (last.role == "user" or last.type == "function_call_output")

    def received(self, event: ServerEvent) -> None:
        """Takes an event; most change nothing."""
        match event:
            case ItemAdded(item) | ItemDone(item):
                self._items[item.id] = item
                if len(self._items) > MAX_ITEMS:
                    self._items.popitem(last=False)
            case TranscriptionCompleted(item_id, transcript):
                self._write(item_id, transcript, replacing=True)
            case ReplyTranscriptDelta(_, delta, item_id) | ReplyTextDelta(_, delta, item_id):
                self._write(item_id, delta, replacing=False)
            case ItemDeleted(item_id):
                self._items.pop(item_id, None)
            case _:
                pass

    def _write(self, item_id: str, text: str, *, replacing: bool) -> None:
        if (item := self._items.get(item_id)) is not None:
            self._items[item_id] = replace(item, text=text if replacing else item.text + text)
