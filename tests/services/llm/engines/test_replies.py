"""A reply's events: ids, deltas, and the calls that are left out."""

from services.llm.chat import Event, Message, Role, TextDelta, ToolCall, ToolCallDelta
from services.llm.engines.completion import Piece
from services.llm.engines.replies import ReplyReader, answered_calls
from services.llm.engines.tool_calls import ParsedCall
from services.llm.engines.tool_format import CALL_TAIL, OPENING, call_head

NAMES = ("get_weather", "set_timer")
PARIS = ParsedCall("get_weather", '{"city": "Paris"}')
LONDON = ParsedCall("get_weather", '{"city": "London"}')


def read(reader: ReplyReader, *calls: ParsedCall) -> list[Event]:
    """The events of a reply of `calls` that comes letter by letter."""
    text = f"\n{OPENING}".join(f"{call_head(call.name)}{call.arguments_json}{CALL_TAIL}" for call in calls)
    return [
        event
        for at, letter in enumerate(text, 1)
        for event in reader.read(Piece(letter, at == 1, at == len(text), False, 0, 0, 0))
    ]


def whole(events: list[Event]) -> list[ParsedCall]:
    return [ParsedCall(event.name, event.arguments_json) for event in events if isinstance(event, ToolCall)]


def test_a_call_s_deltas_and_its_end_have_one_id_and_the_next_call_another() -> None:
    reader = ReplyReader(NAMES)
    events = read(reader, PARIS, LONDON)
    assert whole(events) == [PARIS, LONDON]
    ends = [event for event in events if isinstance(event, ToolCall)]
    assert ends[0].id != ends[1].id
    for end in ends:
        deltas = [event for event in events if isinstance(event, ToolCallDelta) and event.id == end.id]
        assert len(deltas) > 5
        assert {delta.name for delta in deltas} == {end.name}
        assert "".join(delta.arguments_delta for delta in deltas) == end.arguments_json
    assert (reader.called, reader.repeated) == (True, False)


def test_a_call_that_was_answered_is_left_out_with_all_its_deltas() -> None:
    reader = ReplyReader(NAMES, {PARIS})
    assert read(reader, PARIS) == []
    assert (reader.called, reader.repeated) == (False, True)


def test_a_call_that_only_begins_like_an_answered_one_is_made() -> None:
    prague = ParsedCall("get_weather", '{"city": "Prague"}')
    reader = ReplyReader(NAMES, {PARIS})
    events = read(reader, prague)
    assert whole(events) == [prague]
    assert events[0] == ToolCallDelta(events[0].id, "get_weather", '{"city": "Pr')  # type: ignore[union-attr]
    assert not reader.repeated


def test_the_same_call_twice_in_one_reply_is_made_once() -> None:
    reader = ReplyReader(NAMES)
    assert whole(read(reader, PARIS, LONDON, PARIS)) == [PARIS, LONDON]
    assert reader.called


def test_the_same_arguments_for_another_tool_are_another_call() -> None:
    timer = ParsedCall("set_timer", PARIS.arguments_json)
    assert whole(read(ReplyReader(NAMES, {PARIS}), timer)) == [timer]


def test_words_are_words() -> None:
    reader = ReplyReader(())
    assert reader.read(Piece("Seventeen.", True, True, False, 0, 0, 0)) == [TextDelta("Seventeen.")]
    assert not reader.called


def test_only_calls_whose_results_came_after_the_person_s_last_message_are_answered() -> None:
    def call(call_id: str, city: str) -> Message:
        return Message(Role.ASSISTANT, "", (ToolCall(call_id, "get_weather", f'{{"city":"{city}"}}'),))

    def result(call_id: str) -> Message:
        return Message(Role.TOOL, "rain", tool_call_id=call_id)

    asked = Message(Role.USER, "And now?")
    history = [asked, call("1", "Rome"), result("1"), asked, call("2", "Paris"), result("2"), call("3", "Oslo")]
    assert answered_calls(history) == {PARIS}
    assert answered_calls(history[4:6]) == {PARIS}
    assert answered_calls([]) == frozenset()
