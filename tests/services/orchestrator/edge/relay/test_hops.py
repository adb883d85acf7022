"""The header by which a loop of relays is known."""

import pytest

from services.orchestrator.edge.relay.hops import MOST, LoopError, onward


def test_each_relay_adds_its_name() -> None:
    assert onward([], "a") == "a"
    assert onward(["a, b"], "c") == "a, b, c"
    assert onward(["a", "b"], "c") == "a, b, c"


def test_a_session_that_comes_back_is_a_loop() -> None:
    with pytest.raises(LoopError, match="has come back"):
        onward(["a, b"], "a")


def test_a_session_that_comes_too_far_is_a_loop() -> None:
    with pytest.raises(LoopError, match=f"passed {MOST} relays"):
        onward([", ".join("abcdefgh"[:MOST])], "z")


def test_what_is_no_name_is_not_sent_on() -> None:
    assert onward(["a b\x7f, , <>"], "c") == "c"
