"""A referee of the Realtime protocol: is what a server says a conversation that the protocol allows?

It checks every event against OpenAI's own types, and the whole of them against the documented order: ids, the chain of
`previous_item_id`, one response's items and parts, and that what is told at the end is what was told by and by.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from openai.types import realtime
from openai.types.beta import realtime as beta
from pydantic import BaseModel, TypeAdapter

Json = dict[str, Any]

_GA: TypeAdapter[Any] = TypeAdapter(realtime.RealtimeServerEvent)
_BETA: TypeAdapter[Any] = TypeAdapter(beta.RealtimeServerEvent)
# Fields that the types do not name: the real service sends the first, the others are voxfleet's (see the deviations).
_UNTYPED = {"id", "object", "expires_at", "temperature"}
_UNTYPED_BETA = {"object", "expires_at", "idle_timeout_ms", "message"}

_GA_NAMES = {
    "conversation.item.created": "conversation.item.added",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}
_TEXT = {"response.output_text", "response.output_audio_transcript"}


@dataclass(slots=True)
class _Item:
    """One output item of a response."""

    kind: str
    parts: int = 0
    told: str = ""
    whole: str | None = None
    part_done: bool = False
    done: Json | None = None


@dataclass(slots=True)
class _Response:
    created: Json
    rate_limits_told: bool = False
    items: dict[str, _Item] = field(default_factory=dict)


class Referee:
    """Judges one connection: `judge` everything that the server said, in order."""

    def __init__(self, *, is_beta: bool = False) -> None:
        self.items: list[str] = []
        """The conversation as the client can know it."""
        self.responses: list[Json] = []
        """The responses that are over."""
        self._beta = is_beta
        self._ids: set[str] = set()
        self._open: dict[str, _Response] = {}
        self._last: Json = {}
        self._committed: Json | None = None
        self._unfinished: set[str] = set()

    def judge(self, events: Iterable[Json | bytes]) -> None:
        """Every event, and that nothing is left open at the end."""
        for number, event in enumerate(events):
            assert isinstance(event, dict)
            assert (event["type"] == "session.created") == (number == 0)
            self._judge(event)
        assert not self._open, "a response never ended"
        assert self._committed is None, "a committed item never came"
        assert self._beta or not self._unfinished, "an item was never done"

    def _judge(self, event: Json) -> None:
        newer = event["type"] == "input_audio_buffer.timeout_triggered"  # asked for by a field that is newer, too
        adapter, untyped = (_BETA, _UNTYPED_BETA) if self._beta and not newer else (_GA, _UNTYPED)
        assert not set(_extras(adapter.validate_python(event))) - untyped, event
        assert event["event_id"] not in self._ids
        self._ids.add(event["event_id"])
        told: str = event["type"]
        kind = _GA_NAMES.get(told, told)
        if self._last.get("type") == "response.created":
            assert kind == "rate_limits.updated"
        if kind.startswith("response."):
            self._judge_response(kind, event)
        elif kind.startswith("conversation.item."):
            self._judge_item(kind, event)
        elif kind == "input_audio_buffer.committed":
            self._committed = event
        self._last = event

    # -- the conversation ----------------------------------------------------------------------------------------------

    def _judge_item(self, kind: str, event: Json) -> None:
        match kind:
            case "conversation.item.added":
                self._add(event["item"]["id"], event["previous_item_id"])
            case "conversation.item.done":
                item_id = event["item"]["id"]
                at = self.items.index(item_id)
                assert event["previous_item_id"] == (self.items[at - 1] if at else None)
                assert event["item"]["status"] != "in_progress"
                self._unfinished.remove(item_id)
            case "conversation.item.deleted":
                self.items.remove(event["item_id"])
                self._unfinished.discard(event["item_id"])
            case "conversation.item.input_audio_transcription.delta":
                pass  # comes while the item is still being spoken
            case "conversation.item.retrieved":
                assert event["item"]["id"] in self.items
            case _:
                assert event["item_id"] in self.items

    def _add(self, item_id: str, previous: str | None) -> None:
        assert item_id not in self.items
        self._unfinished.add(item_id)
        self.items.insert(0 if previous is None else self.items.index(previous) + 1, item_id)
        if self._committed is not None:
            assert (item_id, previous) == (self._committed["item_id"], self._committed["previous_item_id"])
            self._committed = None

    # -- responses -----------------------------------------------------------------------------------------------------

    def _judge_response(self, kind: str, event: Json) -> None:
        if kind == "response.created":
            created = event["response"]
            assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
            self._open[created["id"]] = _Response(created)
            return
        if kind == "response.done":
            self._end(event["response"])
            return
        response = self._open[event["response_id"]]
        if kind == "response.output_item.added":
            item = event["item"]
            assert event["output_index"] == len(response.items)
            assert item["status"] == "in_progress"
            response.items[item["id"]] = _Item(item["type"])
            return
        item_id = event["item"]["id"] if "item" in event else event["item_id"]
        assert list(response.items).index(item_id) == event["output_index"]
        in_conversation = response.created["conversation_id"] is not None
        assert (item_id in self.items) == in_conversation
        self._judge_output(kind, event, response.items[item_id])

    def _judge_output(self, kind: str, event: Json, item: _Item) -> None:
        assert item.done is None
        name, _, what = kind.rpartition(".")
        if name == "response.content_part":
            assert (item.kind, event["content_index"]) == ("message", 0)
            if what == "added":
                assert item.parts == 0
                item.parts = 1
            else:
                assert item.parts == 1
                item.part_done = True
                assert event["part"].get("transcript", event["part"].get("text")) == item.whole == item.told
        elif name == "response.output_item":
            assert what == "done"
            assert event["item"]["status"] in ("completed", "incomplete")
            assert item.part_done or item.kind == "function_call"
            assert item.whole is not None
            item.done = event["item"]
        elif name in _TEXT or name == "response.function_call_arguments":
            assert item.kind == ("message" if name in _TEXT else "function_call")
            assert item.whole is None
            if what == "delta":
                assert event["delta"]
                item.told += event["delta"]
            else:
                item.whole = event.get("text", event.get("transcript", event.get("arguments")))
                assert item.whole == item.told
        else:
            assert name == "response.output_audio"
            assert item.parts == 1

    def _end(self, done: Json) -> None:
        response = self._open.pop(done["id"])
        for same in ("conversation_id", "metadata", "object"):
            assert done[same] == response.created[same]
        assert done["output"] == [item.done for item in response.items.values()]
        details = done["status_details"]
        assert done["status"] in ("completed", "cancelled", "incomplete", "failed")
        assert (done["status"] == "completed") == (details is None)
        if details is not None:
            assert details["type"] == done["status"]
        usage = done["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_token_details"]["cached_tokens"] <= usage["input_tokens"]
        self.responses.append(done)


def _extras(value: Any) -> Iterator[str]:
    """The fields that a type does not have."""
    match value:
        case BaseModel():
            yield from value.model_extra or ()
            for name in type(value).model_fields:
                yield from _extras(getattr(value, name))
        case list():
            for one in value:
                yield from _extras(one)
