"""The playout clock. Times in seconds, audio at 24 kHz: 24 samples a millisecond."""

from collections.abc import Iterable

import pytest

from services.orchestrator.playout import Outgoing, Playout

RATE = 24_000
MS = RATE // 1000
LATER = 1e6


def audio(samples: int) -> bytes:
    return bytes(2 * samples)


def speaking(words: Iterable[str], ms_a_word: int = 100, lead_s: float = 0.15) -> Playout:
    """A playout that has all of a text, every word of it `ms_a_word` long."""
    playout = Playout(lead_s)
    for word in words:
        start = len(playout.text)
        playout.text += word
        playout.append(audio(ms_a_word * MS), start, len(playout.text))
    return playout


def play_out(playout: Playout, now: float = 0.0) -> list[Outgoing]:
    """Takes everything, each piece as soon as it is due."""
    taken = []
    while (due_s := playout.next_due_s(now)) is not None:
        now += due_s
        outgoing = playout.take(now)
        assert outgoing is not None, "take was due and gave nothing"
        taken.append(outgoing)
    return taken


# -- pace --------------------------------------------------------------------------------------------------------------


def test_the_lead_is_sent_at_once_and_the_rest_as_it_is_played() -> None:
    playout = speaking(["word "] * 10)  # 1 s
    first = playout.take(5.0)
    assert first is not None
    assert len(first.pcm) == 2 * 150 * MS
    assert playout.take(5.0) is None
    # 60 ms are worth a message: they are due once 60 ms were played.
    assert playout.next_due_s(5.0) == pytest.approx(0.060, abs=1e-6)
    assert playout.next_due_s(5.04) == pytest.approx(0.020, abs=1e-6)
    assert playout.next_due_s(5.2) == 0.0
    second = playout.take(5.1)
    assert second is not None
    assert len(second.pcm) == 2 * 100 * MS


def test_nothing_is_due_where_nothing_waits() -> None:
    playout = Playout(0.15)
    assert playout.next_due_s(1.0) is None
    assert playout.take(1.0) is None
    playout.append(audio(10 * MS), 0, 0)
    playout.take(1.0)
    assert playout.next_due_s(1.0) is None
    assert playout.waiting_s == 0


def test_a_tail_too_short_for_a_message_of_its_own_is_sent_as_soon_as_there_is_room() -> None:
    playout = Playout(0.1)
    playout.append(audio(110 * MS), 0, 0)
    playout.take(0.0)
    assert playout.next_due_s(0.0) == pytest.approx(0.010, abs=1e-6)


def test_a_lead_shorter_than_a_worthwhile_message_is_still_played() -> None:
    # 20 ms of lead can never hold 60 ms.
    playout = speaking(["word "] * 5, lead_s=0.02)
    assert b"".join(outgoing.pcm for outgoing in play_out(playout)) == audio(500 * MS)


def test_a_lead_shorter_than_a_sample_is_one_sample() -> None:
    playout = Playout(0.00001)
    playout.append(audio(3), 0, 0)
    assert [len(outgoing.pcm) for outgoing in play_out(playout)] == [2, 2, 2]


def test_after_a_gap_the_listener_waits_and_the_lead_is_full_again() -> None:
    playout = Playout(0.1)
    playout.append(audio(50 * MS), 0, 0)
    playout.take(0.0)
    playout.append(audio(500 * MS), 0, 0)
    assert playout.heard_samples(3.0) == 50 * MS
    outgoing = playout.take(3.0)
    assert outgoing is not None
    assert len(outgoing.pcm) == 2 * 100 * MS
    assert playout.heard_samples(3.02) == 70 * MS


def test_a_sample_split_over_two_chunks_is_put_together() -> None:
    playout = Playout(1.0)
    playout.append(b"\x01\x02\x03", 0, 0)
    first = playout.take(0.0)
    assert first == Outgoing(b"\x01\x02", "")
    assert playout.next_due_s(0.0) is None  # half a sample is nothing to send
    playout.append(b"\x04\x05\x06", 0, 0)
    assert playout.take(0.0) == Outgoing(b"\x03\x04\x05\x06", "")


def test_ten_thousand_chunks_come_out_as_they_went_in() -> None:
    playout = Playout(0.15)
    chunks = [number.to_bytes(2, "little") * 480 for number in range(10_000)]  # 20 ms each, 200 s in all
    for number, chunk in enumerate(chunks):
        playout.text += "a "
        playout.append(chunk, 2 * number, 2 * number + 2)
    taken = play_out(playout)
    assert b"".join(outgoing.pcm for outgoing in taken) == b"".join(chunks)
    assert "".join(outgoing.text for outgoing in taken) == "a " * 10_000
    # 150 ms at once, then 60 ms a message.
    assert len(taken) == 1 + -(-(200_000 - 150) // 60)


# -- text --------------------------------------------------------------------------------------------------------------


def test_text_goes_out_with_the_audio_that_begins_to_speak_it() -> None:
    playout = speaking(["Hello, ", "world."], ms_a_word=100, lead_s=0.05)
    first = playout.take(0.0)
    assert first is not None
    assert first.text == "Hello, "
    second = playout.take(0.05)  # the second half of the first word
    assert second is not None
    assert second.text == ""
    third = playout.take(0.1)
    assert third is not None
    assert third.text == "world."
    assert playout.sent_text == "Hello, world."


def test_text_that_nobody_says_is_told_after_the_last_audio() -> None:
    playout = speaking(["Done. "])
    play_out(playout)
    playout.text += "***"
    playout.append(b"", 6, 9)
    assert playout.next_due_s(1.0) == 0.0
    assert playout.take(1.0) == Outgoing(b"", "***")
    assert playout.next_due_s(1.0) is None
    assert playout.sent_text == playout.heard_text(LATER) == "Done. ***"


def test_silence_says_nothing() -> None:
    playout = Playout(10.0)
    playout.text = "One. Two."
    playout.append(audio(100 * MS), 0, 5)
    playout.append(audio(100 * MS), 5, 5)
    playout.append(audio(100 * MS), 5, 9)
    assert {playout.text_until(ms * MS) for ms in (99, 100, 150, 200)} == {"One."}
    assert playout.text_until(300 * MS) == "One. Two."


def test_silence_at_the_front_says_nothing() -> None:
    playout = Playout(10.0)
    playout.text = "One."
    playout.append(audio(100 * MS), 0, 0)
    playout.append(audio(100 * MS), 0, 4)
    assert playout.text_until(100 * MS) == ""


def test_a_span_that_begins_before_the_one_before_it_ends_never_takes_text_back() -> None:
    playout = Playout(10.0)
    playout.text = "one two three"
    playout.append(audio(100 * MS), 0, 8)
    playout.append(audio(100 * MS), 3, 13)
    playout.append(audio(100 * MS), 2, 6)  # all of it said before
    lengths = [len(playout.text_until(ms * MS)) for ms in range(301)]
    assert lengths == sorted(lengths)
    assert playout.text_until(100 * MS) == "one two"
    assert playout.text_until(200 * MS) == playout.text_until(300 * MS) == playout.text


def test_a_span_beyond_the_text_is_cut_at_its_end() -> None:
    playout = Playout(10.0)
    playout.text = "one "
    playout.append(audio(100 * MS), 0, 40)
    playout.take(0.0)
    playout.text += "two"
    playout.append(audio(100 * MS), 4, 7)
    outgoing = playout.take(0.0)
    assert outgoing is not None
    assert outgoing.text == "two"


def test_a_reply_without_text_is_only_sound() -> None:
    playout = Playout(10.0)
    playout.append(audio(100 * MS), 0, 0)
    assert playout.take(0.0) == Outgoing(audio(100 * MS), "")
    assert playout.heard_text(LATER) == playout.sent_text == ""


def until(text: str, position: int) -> str:
    """What was heard where the voice stopped at a position of a text: one sample a character."""
    playout = Playout(10.0)
    playout.text = text
    playout.append(audio(len(text)), 0, len(text))
    return playout.text_until(position)


@pytest.mark.parametrize(
    ("text", "position", "heard"),
    [
        ("wonderful day", 4, ""),  # 4 of 9 letters
        ("wonderful day", 5, "wonderful"),
        ("wonderful day", 9, "wonderful"),
        ("wonderful day", 10, "wonderful"),
        ("Hello, world", 5, "Hello,"),  # the comma takes no time
        ("I don't know", 5, "I don't"),  # after "don"
        ("I don\u2019t know", 6, "I don\u2019t"),  # after the apostrophe
        ("It is twenty-one degrees", 12, "It is twenty-one"),  # "twenty" is another number
        ("Pi is 3.14 or so", 7, "Pi is"),  # and so is 3
        ("Pi is 3.14 or so", 8, "Pi is"),
        ("Pi is 3.14 or so", 9, "Pi is 3.14"),
        ("It is 1,000 euros", 9, "It is 1,000"),
        ("At 10:30 sharp", 6, "At 10:30"),
        ("It costs $5 now", 10, "It costs"),
        ("It costs $5 now", 11, "It costs $5"),
        ("Wait—listen to me", 5, "Wait—"),
        ("Wait—listen to me", 6, "Wait—"),
        ("well…yes", 6, "well…"),
        ("法国的首都是巴黎。", 3, "法国的"),
        ("人々が笑う", 1, "人"),
        ("人々が笑う", 2, "人々"),
        ("我住在New York里", 3, "我住在"),
        ("我住在New York里", 4, "我住在"),
        ("我住在New York里", 5, "我住在New"),
        ("我住在New York里", 11, "我住在New York"),
        ("iPhone的价格", 6, "iPhone"),
        ("저는 학생입니다", 3, "저는"),
        ("저는 학생입니다", 6, "저는 학생입니다"),
        ("สวัสดีครับ", 1, "ส"),
        ("cafe\u0301 noir", 4, "cafe\u0301"),  # é of two code points
        ("हिन्दी में", 5, "हिन्दी"),  # the vowel signs are no letters
        ("か\u3099っこう", 1, "か\u3099"),  # が of two code points
        ("", 0, ""),
        ("   ", 2, ""),
    ],
)
def test_what_was_heard_ends_with_a_whole_word(text: str, position: int, heard: str) -> None:
    assert until(text, position) == heard
