"""The conversation: order, limits, and what the language model is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.conversation import Conversation, Item, ItemKind, Role, UnknownItemError

USER, ASSISTANT, TOOL = llm_pb2.ROLE_USER, llm_pb2.ROLE_ASSISTANT, llm_pb2.ROLE_TOOL


def said(item_id: str, text: str, role: Role = Role.USER) -> Item:
    return Item(item_id, role=role, text=text)


def call(item_id: str, call_id: str, arguments: str = "{}") -> Item:
    return Item(
        item_id, ItemKind.FUNCTION_CALL, role=Role.ASSISTANT, name="weather", call_id=call_id, arguments=arguments
    )


def output(item_id: str, call_id: str, text: str) -> Item:
    return Item(item_id, ItemKind.FUNCTION_CALL_OUTPUT, text=text, call_id=call_id)


def holding(*items: Item, limit: int = 1_000) -> Conversation:
    conversation = Conversation(limit)
    for item in items:
        conversation.add(item)
    return conversation


def ids(conversation: Conversation) -> list[str]:
    return [item.id for item in conversation.items]


def shown(conversation: Conversation) -> list[tuple[int, str, list[str]]]:
    """Role, text and calls of every message."""
    return [(told.role, told.text, [one.id for one in told.tool_calls]) for told in conversation.messages()]


# -- order -------------------------------------------------------------------------------------------------------------


def test_a_new_conversation_holds_nothing() -> None:
    conversation = Conversation()
    assert len(conversation) == 0
    assert conversation.items == conversation.messages() == []
    assert conversation.last_id is None


def test_items_keep_the_order_in_which_they_came() -> None:
    conversation = holding(said("a", "one"), said("b", "two"), said("c", "three"))
    assert ids(conversation) == ["a", "b", "c"]
    assert conversation.last_id == "c"
    assert [conversation.before(item_id) for item_id in "abc"] == [None, "a", "b"]
    assert "b" in conversation
    assert "d" not in conversation


@pytest.mark.parametrize(
    ("after", "order"), [(None, "abcx"), ("root", "xabc"), ("a", "axbc"), ("b", "abxc"), ("c", "abcx")]
)
def test_an_item_goes_behind_the_one_that_is_named(after: str | None, order: str) -> None:
    conversation = holding(*(said(item_id, item_id) for item_id in "abc"))
    conversation.add(said("x", "x"), after)
    assert ids(conversation) == list(order)


def test_root_of_an_empty_conversation_is_its_front() -> None:
    conversation = Conversation()
    conversation.add(said("x", "x"), "root")
    assert ids(conversation) == ["x"]


def test_root_is_the_front_even_where_an_item_has_that_name() -> None:
    conversation = holding(said("a", "one"), said("root", "two"))
    conversation.add(said("x", "x"), "root")
    assert ids(conversation) == ["x", "a", "root"]


def test_a_taken_id_is_refused_and_changes_nothing() -> None:
    conversation = holding(said("a", "one"))
    with pytest.raises(ValueError, match="'a' is taken"):
        conversation.add(said("a", "two"))
    assert conversation.get("a").text == "one"


def test_an_item_behind_an_unknown_one_is_refused_and_changes_nothing() -> None:
    conversation = holding(said("a", "one"))
    with pytest.raises(UnknownItemError):
        conversation.add(said("b", "two"), "nowhere")
    assert ids(conversation) == ["a"]


@pytest.mark.parametrize("method", ["get", "before", "delete"])
def test_an_unknown_id_is_said(method: str) -> None:
    with pytest.raises(UnknownItemError, match="gone"):
        getattr(holding(said("a", "one")), method)("gone")


def test_an_unknown_item_can_be_neither_replaced_nor_cut() -> None:
    conversation = holding(said("a", "one"))
    with pytest.raises(UnknownItemError):
        conversation.update(said("gone", "two"))
    with pytest.raises(UnknownItemError):
        conversation.truncate("gone", "")
    assert ids(conversation) == ["a"]


def test_the_oldest_item_gives_way_to_a_new_one() -> None:
    conversation = holding(*(said(item_id, item_id) for item_id in "abcde"), limit=3)
    assert ids(conversation) == ["c", "d", "e"]
    assert len(conversation) == 3


def test_a_new_item_at_the_front_of_a_full_conversation_stays() -> None:
    conversation = holding(*(said(item_id, item_id) for item_id in "abc"), limit=3)
    conversation.add(said("x", "x"), "root")
    assert ids(conversation) == ["x", "b", "c"]


def test_an_updated_item_keeps_its_place() -> None:
    conversation = holding(said("a", "one"), said("b", "two"))
    conversation.update(said("a", "changed"))
    assert [item.text for item in conversation.items] == ["changed", "two"]


def test_a_truncated_item_keeps_what_was_heard() -> None:
    conversation = holding(said("a", "hello"), said("b", "It is noon. The sun is high.", Role.ASSISTANT))
    cut = conversation.truncate("b", "It is noon.")
    assert cut == conversation.get("b")
    assert (cut.text, cut.status, cut.role) == ("It is noon.", "incomplete", Role.ASSISTANT)
    assert shown(conversation)[1] == (ASSISTANT, "It is noon.", [])


def test_a_deleted_item_is_gone_and_its_id_free() -> None:
    conversation = holding(said("a", "one"), said("b", "two"))
    conversation.delete("b")
    assert conversation.last_id == "a"
    conversation.add(said("b", "three"))
    assert [item.text for item in conversation.items] == ["one", "three"]


def test_the_list_of_items_is_the_callers_own() -> None:
    conversation = holding(said("a", "one"))
    conversation.items.clear()
    assert ids(conversation) == ["a"]


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | st.just("root") | st.sampled_from("abcdefgh"))),
)
def test_whatever_is_added_a_new_item_stands_where_it_was_asked_for(
    limit: int, additions: list[tuple[str, str | None]]
) -> None:
    conversation = Conversation(limit)
    for item_id, after in additions:
        before = ids(conversation)
        if item_id in before or (after is not None and after != "root" and after not in before):
            with pytest.raises((ValueError, UnknownItemError)):
                conversation.add(said(item_id, "x"), after)
            assert ids(conversation) == before
            continue
        conversation.add(said(item_id, "x"), after)
        at = len(before) if after is None else 0 if after == "root" else before.index(after) + 1
        expected = [*before[:at], item_id, *before[at:]]
        if len(expected) > limit:
            expected.remove(next(old for old in expected if old != item_id))
        assert ids(conversation) == expected


# -- what the language model is shown ----------------------------------------------------------------------------------


def test_messages_carry_role_and_text() -> None:
    conversation = holding(said("a", "Be brief.", Role.SYSTEM), said("b", "hello"), said("c", "Hello.", Role.ASSISTANT))
    assert shown(conversation) == [
        (llm_pb2.ROLE_SYSTEM, "Be brief.", []),
        (USER, "hello", []),
        (ASSISTANT, "Hello.", []),
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_messages_without_text_are_left_out(text: str) -> None:
    conversation = holding(said("a", "hello"), said("b", text, Role.ASSISTANT), said("c", text))
    assert shown(conversation) == [(USER, "hello", [])]


def test_calls_belong_to_the_message_they_follow() -> None:
    conversation = holding(
        said("a", "rain?"),
        said("b", "Let me see.", Role.ASSISTANT),
        call("c", "call_1", '{"city": "Oslo"}'),
        call("d", "call_2"),
        output("e", "call_1", "rain"),
        output("f", "call_2", ""),
        said("g", "Yes.", Role.ASSISTANT),
    )
    assert shown(conversation) == [
        (USER, "rain?", []),
        (ASSISTANT, "Let me see.", ["call_1", "call_2"]),
        (TOOL, "rain", []),
        (TOOL, "", []),  # an output may be empty: that the function ran is told nevertheless
        (ASSISTANT, "Yes.", []),
    ]
    messages = conversation.messages()
    assert (messages[1].tool_calls[0].name, messages[1].tool_calls[0].arguments_json) == ("weather", '{"city": "Oslo"}')
    assert [message.tool_call_id for message in messages[2:4]] == ["call_1", "call_2"]


def test_a_call_without_a_message_stands_alone_and_the_next_joins_it() -> None:
    conversation = holding(said("a", "rain?"), call("b", "call_1"), call("c", "call_2"), output("d", "call_1", "rain"))
    assert shown(conversation) == [(USER, "rain?", []), (ASSISTANT, "", ["call_1", "call_2"]), (TOOL, "rain", [])]


def test_a_call_after_the_output_of_another_is_a_message_of_its_own() -> None:
    conversation = holding(call("a", "call_1"), output("b", "call_1", "rain"), call("c", "call_2"))
    assert shown(conversation) == [(ASSISTANT, "", ["call_1"]), (TOOL, "rain", []), (ASSISTANT, "", ["call_2"])]


def test_a_call_after_a_reply_of_which_nothing_was_heard_stands_alone() -> None:
    conversation = holding(said("a", "rain?"), said("b", "", Role.ASSISTANT), call("c", "call_1"))
    assert shown(conversation) == [(USER, "rain?", []), (ASSISTANT, "", ["call_1"])]


def test_showing_the_conversation_twice_shows_the_same() -> None:
    conversation = holding(said("a", "Let me see.", Role.ASSISTANT), call("b", "call_1"))
    assert conversation.messages() == conversation.messages()
