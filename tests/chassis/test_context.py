"""Session, turn and trace on their way through call metadata."""

import re

from hypothesis import given
from hypothesis import strategies as st

from chassis.context import CallContext, current, new_traceparent

IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", max_size=20)


@given(st.builds(CallContext, IDS, IDS, IDS))
def test_a_context_survives_the_way_through_metadata(context: CallContext) -> None:
    assert CallContext.from_metadata(context.to_metadata()) == context


def test_what_is_empty_is_not_sent() -> None:
    assert CallContext().to_metadata() == ()
    assert CallContext(turn_id="t1").to_metadata() == (("x-turn-id", "t1"),)


def test_other_metadata_is_ignored() -> None:
    metadata: list[tuple[str, str | bytes]] = [("user-agent", "grpc"), ("x-session-id", "s1"), ("x-turn-id", b"t1")]
    assert CallContext.from_metadata(metadata) == CallContext("s1")
    assert CallContext.from_metadata(None) == CallContext()


def test_a_traceparent_is_a_sampled_w3c_header_and_never_the_same() -> None:
    made = [new_traceparent() for _ in range(20)]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", header) for header in made)
    assert len(set(made)) == len(made)


def test_each_turn_of_a_session_has_a_trace_of_its_own() -> None:
    session = CallContext("s1")
    first, second = session.for_turn("t1"), session.for_turn("t2")
    assert (first.session_id, first.turn_id) == ("s1", "t1")
    assert (second.session_id, second.turn_id) == ("s1", "t2")
    assert "" != first.traceparent != second.traceparent
    assert session.turn_id == ""


def test_without_a_call_the_context_is_empty() -> None:
    assert current.get() == CallContext()
