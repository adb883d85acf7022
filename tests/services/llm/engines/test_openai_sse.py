"""Events out of bytes of any chunking."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import StageError
from services.llm.engines.openai_sse import MAX_EVENT_BYTES, EventStream

STREAM = 'data: {"a": "ü"}\n\n: a comment\r\n\r\nevent: x\r\ndata: two\r\ndata:lines\r\n\r\ndata: [DONE]\n'.encode()
EVENTS = ['{"a": "ü"}', "two\nlines", "[DONE]"]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_do_not_depend_on_the_pieces(cuts: list[int]) -> None:
    stream = EventStream()
    borders = [0, *sorted(cuts), len(STREAM)]
    found = [event for start, stop in pairwise(borders) for event in stream.feed(STREAM[start:stop])]
    assert found == EVENTS[:2]
    assert stream.finish() == EVENTS[2:]


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"])
def test_an_event_without_end_is_refused(endless: bytes) -> None:
    stream = EventStream()
    for _ in range(MAX_EVENT_BYTES // 1010):
        assert stream.feed(endless) == []
    with pytest.raises(StageError, match="at most"):
        stream.feed(endless * 20)


def test_an_event_that_is_no_text_is_refused() -> None:
    with pytest.raises(StageError, match="UTF-8"):
        EventStream().feed(b"data: \xff\n\n")
