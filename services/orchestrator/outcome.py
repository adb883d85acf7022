"""What a language model said in one reply, as far as it got. Pure."""

from dataclasses import dataclass, field

from voxfleet.llm.v1 import llm_pb2


@dataclass(slots=True)
class Call:
    """A function call as the language model writes it; `arguments` is JSON text, whole once it is `complete`."""

    id: str
    name: str
    arguments: str = ""
    complete: bool = False


@dataclass(slots=True)
class Outcome:
    """Text that was `written`, function calls, and how it ended.

    The text began after the first `leading_calls` of the calls; None where there is none yet.
    """

    calls: list[Call] = field(default_factory=list)
    leading_calls: int | None = None
    usage: llm_pb2.Usage = field(default_factory=llm_pb2.Usage)
    cut_at_length: bool = False
    written: str = ""
    deltas: int = 0

    @property
    def has_text(self) -> bool:
        """Whether it said anything that is not blank."""
        return self.leading_calls is not None

    def begin_text(self) -> None:
        """It says something that is not blank."""
        if self.leading_calls is None:
            self.leading_calls = len(self.calls)

    def go_on_calling(self, delta: llm_pb2.ToolCallDelta) -> None:
        """It wrote more of a call."""
        self._call(delta.call_id, delta.name).arguments += delta.arguments_delta

    def complete_call(self, call: llm_pb2.ToolCall) -> None:
        """It wrote a call to its end."""
        ended = self._call(call.id, call.name)
        ended.arguments, ended.complete = call.arguments_json, True

    def finish(self, finished: llm_pb2.Finished) -> None:
        """It ended."""
        self.usage = finished.usage
        self.cut_at_length = finished.reason == llm_pb2.Finished.REASON_LENGTH

    def _call(self, call_id: str, name: str) -> Call:
        if not self.calls or self.calls[-1].complete:
            self.calls.append(Call(call_id, name))
        return self.calls[-1]
