"""Texts with times to segments and subtitles."""

from services.orchestrator.edge.single.subtitles import Segment, Word, segments, to_srt, to_vtt


def timed(text: str, seconds: float = 0.5) -> list[Word]:
    """The words of a text, one after the other without a gap."""
    return [Word(word, index * seconds, (index + 1) * seconds) for index, word in enumerate(text.split())]


def test_each_sentence_is_a_segment_with_its_own_times() -> None:
    text = "It is noon. The sun is high."
    assert segments(text, timed(text), 9.0) == [
        Segment("It is noon.", 0.0, 1.5),
        Segment("The sun is high.", 1.5, 3.5),
    ]


def test_words_without_their_marks_are_found_in_the_text() -> None:
    words = [Word("noon", 1.0, 1.5), Word("Yes", 1.5, 2.0), Word("missing", 2.0, 2.2), Word("yes", 2.2, 2.5)]
    assert segments("“It is noon.” Yes, yes!", words, 9.0) == [
        Segment("“It is noon.”", 1.0, 1.5),
        Segment("Yes, yes!", 1.5, 2.5),
    ]


def test_a_text_without_spaces_stays_without_them() -> None:
    words = [Word("现在", 0.0, 0.5), Word("中午", 0.5, 1.0), Word("太阳", 1.2, 1.5)]
    assert segments("现在中午。太阳高。", words, 2.0) == [
        Segment("现在中午。", 0.0, 1.0),
        Segment("太阳高。", 1.2, 1.5),
    ]


def test_a_long_sentence_is_cut_by_time_and_by_width_and_at_a_gap() -> None:
    slow = "one two three four five six"
    assert [piece.text for piece in segments(slow, timed(slow, 2.0), 12.0)] == ["one two three", "four five six"]
    wide = " ".join(["word"] * 40)
    assert max(len(piece.text) for piece in segments(wide, timed(wide, 0.01), 1.0)) <= 84
    gap = [Word("one", 0.0, 0.5), Word("two", 2.0, 2.5)]
    assert [piece.text for piece in segments("one two", gap, 3.0)] == ["one", "two"]


def test_nothing_of_the_text_is_lost() -> None:
    text = "A b, c! D? E f g."
    assert " ".join(piece.text for piece in segments(text, timed(text), 9.0)) == text


def test_a_text_without_times_is_one_segment_and_no_text_is_none() -> None:
    assert segments("hello", [], 2.0) == [Segment("hello", 0.0, 2.0)]
    assert segments("", [], 2.0) == []


def test_srt_and_vtt_write_their_clocks_and_escape_markup() -> None:
    pieces = [Segment("a < b", 0.0, 1.5), Segment("end", 3_661.25, 3_662.0)]
    assert to_srt(pieces) == ("1\n00:00:00,000 --> 00:00:01,500\na < b\n\n2\n01:01:01,250 --> 01:01:02,000\nend\n\n")
    assert to_vtt(pieces) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt; b\n\n01:01:01.250 --> 01:01:02.000\nend\n\n"
    )
