"""The record of a dialogue: what was heard of each reply, and what the server may not send."""

from client.events import (
    AudioDelta,
    ErrorEvent,
    ItemRetrieved,
    ReplyTranscriptDelta,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    TranscriptionCompleted,
)
from tests.fleet.dialogue.journal import Journal
from tests.support.audio import tone


def second_of(response: str = "r1", item: str = "a1") -> AudioDelta:
    return AudioDelta(response, tone(1.0), item)


def test_a_reply_that_is_not_interrupted_is_heard_whole() -> None:
    journal = Journal()
    events: list[tuple[float, ServerEvent]] = [
        (0.0, TranscriptionCompleted("u1", "Hello?")),
        (0.0, ResponseCreated("r1")),
        (0.0, ReplyTranscriptDelta("r1", "Hello ")),
        (0.0, second_of()),
        (0.9, ReplyTranscriptDelta("r1", "there.")),
        (0.9, second_of()),
        (0.9, ResponseDone("r1", "completed", "", {})),
    ]
    for now, event in events:
        journal.received(event, now)
    assert journal.quiet
    assert journal.listened(1.5)  # half a second is still to come
    (reply,) = journal.record.replies
    assert reply.heard_ms == 1500
    assert not journal.listened(2.5)
    assert (reply.text, reply.heard_ms, reply.longest_gap_ms) == ("Hello there.", 2000, 0)
    assert not reply.interrupted


def test_the_loudspeaker_falls_silent_when_the_person_is_known_to_speak() -> None:
    journal = Journal()
    journal.received(ResponseCreated("r1"), 0.0)
    journal.received(second_of(), 0.0)
    journal.received(ResponseDone("r1", "cancelled", "turn_detected", {}), 0.4)
    journal.received(SpeechStarted("u2", 0), 0.4)
    journal.listened(5.0)
    (reply,) = journal.record.replies
    assert reply.interrupted
    assert reply.heard_ms == 400


def test_a_gap_in_the_middle_of_a_reply_is_noticed() -> None:
    journal = Journal()
    journal.received(ResponseCreated("r1"), 0.0)
    for now in (0.0, 1.3, 1.4):
        journal.received(second_of(), now)
    assert round(journal.record.replies[0].longest_gap_ms) == 300


def test_what_each_reply_said_is_kept_when_the_next_one_begins() -> None:
    journal = Journal()
    for start in range(6):
        response = f"r{start}"
        journal.received(ResponseCreated(response), 2.0 * start)
        journal.received(second_of(response, f"a{start}"), 2.0 * start)
        journal.received(ResponseDone(response, "completed", "", {}), 2.0 * start + 1)
    journal.listened(20.0)
    assert [reply.heard_ms for reply in journal.record.replies] == [1000] * 6
    assert journal.record.errors == []


def test_replies_that_overlap_and_audio_after_the_end_are_errors() -> None:
    journal = Journal()
    journal.received(ResponseCreated("r1"), 0.0)
    journal.received(ResponseCreated("r2"), 0.1)
    assert journal.record.errors == ["a reply began before the one before it had ended"]
    journal.received(ResponseDone("r1", "completed", "", {}), 0.2)
    journal.received(second_of(), 0.3)
    assert journal.record.errors[1:] == ["audio of a reply came after its end"]


def test_errors_of_the_server_are_kept() -> None:
    journal = Journal()
    journal.received(ErrorEvent("server_error", "too_late", "llm: no first token", None, None), 0.0)
    assert journal.record.errors == ["error: too_late: llm: no first token"]


def test_the_history_is_known_when_every_item_was_retrieved() -> None:
    journal = Journal()
    journal.received(TranscriptionCompleted("u1", "Hello?"), 0.0)
    journal.received(TranscriptionCompleted("u2", ""), 0.0)  # nothing was said: not in the conversation
    journal.received(ResponseCreated("r1"), 0.0)
    journal.received(second_of(), 0.0)
    assert journal.item_ids == ["u1", "a1"]
    journal.received(ItemRetrieved("u1", "Hello?"), 1.0)
    half = journal.retrieved
    journal.received(ItemRetrieved("a1", "Hello there."), 1.0)
    assert (half, journal.retrieved) == (False, True)
    assert journal.record.replies[0].history == "Hello there."


def test_it_is_quiet_when_no_reply_goes_on_and_all_speech_has_its_text() -> None:
    journal = Journal()
    quiet = [journal.quiet]
    for event in (
        SpeechStarted("u1", 0),
        TranscriptionCompleted("u1", "Hello?"),
        ResponseCreated("r1"),
        ResponseDone("r1", "completed", "", {}),
    ):
        journal.received(event, 0.0)
        quiet.append(journal.quiet)
    assert quiet == [True, False, True, False, True]
