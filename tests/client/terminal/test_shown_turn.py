from rich.console import Console
from rich.text import Text

from client.events import ItemDone, PartialTranscript, ReplyTranscriptDelta, ResponseCreated, ResponseDone
from client.items import Item
from client.terminal.shown_turn import ShownTurn


def styles(text: Text) -> list[tuple[str, str]]:
    """The pieces of a text with their styles."""
    return [(text.plain[span.start : span.end], str(span.style)) for span in text.spans]


def test_words_that_may_still_change_are_dim() -> None:
    turn = ShownTurn()
    assert turn.words().plain == "…"
    turn.received(PartialTranscript("item_1", "What is", " the cap"), 1.0)
    assert turn.words().plain == "What is the cap"
    assert styles(turn.words()) == [(" the cap", "dim italic")]


def test_a_reply_that_was_heard_in_part_has_its_rest_struck_through() -> None:
    turn = ShownTurn()
    for event in (
        ResponseCreated("r1"),
        ReplyTranscriptDelta("r1", "It is Paris, the city", "item_2"),
        ItemDone(Item(id="item_2", type="message", role="assistant", text="It is Paris,")),
    ):
        turn.received(event, 1.0)
    # Until the reply has ended, more of it may be heard.
    assert ("It is Paris, the city", "bold") in styles(turn.reply())
    turn.received(ResponseDone("r1", "cancelled", "turn_detected", {}), 2.0)
    assert styles(turn.reply()) == [("It is Paris,", "bold"), (" the city", "red strike dim")]


def test_a_reply_of_which_nothing_was_heard_is_struck_through_altogether() -> None:
    turn = ShownTurn()
    for event in (
        ResponseCreated("r1"),
        ReplyTranscriptDelta("r1", "It is", "item_2"),
        ItemDone(Item(id="item_2", type="message", role="assistant", text="")),
        ResponseDone("r1", "cancelled", "turn_detected", {}),
    ):
        turn.received(event, 1.0)
    assert styles(turn.reply()) == [("It is", "red strike dim")]


def test_wide_characters_stay_within_the_terminal() -> None:
    turn = ShownTurn()
    turn.received(PartialTranscript("item_1", "请给我讲一个很长很长的故事吧" * 3, ""), 1.0)
    console = Console(width=30)
    lines = console.render_lines(turn.live(), console.options, pad=False)
    widths = [sum(segment.cell_length for segment in line) for line in lines]
    assert len(lines) > 3
    assert max(widths) <= 30
