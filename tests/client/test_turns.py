import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.events import (
    AudioDelta,
    ErrorEvent,
    PartialTranscript,
    ReplyTranscriptDelta,
    ReplyTranscriptDone,
    ResponseCreated,
    ResponseDone,
    SpeechStarted,
    TranscriptionCompleted,
    TranscriptionDelta,
    TurnMarks,
)
from client.turns import TurnRecorder, audible_span
from tests.support.audio import silence, tone


def ask(recorder: TurnRecorder, *, ends_at: float) -> None:
    """A second of speech whose last sample is spoken at `ends_at`."""
    recorder.sent(tone(1.0), ends_at)
    recorder.question_sent()
    recorder.received(SpeechStarted("item_1", 0), ends_at - 0.8)


def answer(recorder: TurnRecorder, *, at: float, pcm: bytes, response_id: str = "r1") -> None:
    recorder.received(ResponseCreated(response_id), at)
    recorder.received(AudioDelta(response_id, pcm), at)
    recorder.received(ReplyTranscriptDelta(response_id, "Paris."), at)


def done(
    recorder: TurnRecorder, *, at: float, response_id: str = "r1", status: str = "completed", why: str = ""
) -> None:
    recorder.received(ResponseDone(response_id, status, why, {}), at)


def test_a_turn_is_the_question_and_its_reply() -> None:
    recorder = TurnRecorder()
    ask(recorder, ends_at=10.0)
    recorder.received(TranscriptionDelta("item_1", "What is "), 9.5)
    recorder.received(TranscriptionDelta("item_1", "the cap"), 9.9)
    assert recorder.understood == "What is the cap"
    recorder.received(TranscriptionCompleted("item_1", "What is the capital of France?"), 10.6)
    answer(recorder, at=11.0, pcm=tone(0.5))
    recorder.received(TurnMarks("r1", "item_1", "en", "none", {"audio_sent": 990.0}), 11.0)
    before = recorder.finished
    done(recorder, at=11.5)
    assert (before, recorder.finished) == (False, True)
    turn = recorder.turn()
    assert (turn.understood, turn.answer, turn.language) == ("What is the capital of France?", "Paris.", "en")
    assert turn.reply_pcm == tone(0.5)
    assert turn.reply_s == 0.5
    assert turn.marks == {"audio_sent": 990.0}
    assert turn.voice_to_voice_ms == pytest.approx(1000)
    assert turn.gaps == ()
    assert turn.problem is None


def test_a_guess_at_the_end_of_the_words_is_replaced_by_the_next() -> None:
    recorder = TurnRecorder()
    recorder.received(TranscriptionDelta("item_1", "What is"), 1.0)
    recorder.received(PartialTranscript("item_1", "What is", " the cap"), 1.0)
    assert recorder.understood == "What is the cap"
    recorder.received(TranscriptionDelta("item_1", " the capital"), 1.3)
    recorder.received(PartialTranscript("item_1", "What is the capital", " on"), 1.3)
    assert recorder.understood == "What is the capital on"
    recorder.received(TranscriptionDelta("item_1", " of"), 1.6)
    assert recorder.understood == "What is the capital of"


def test_latency_counts_from_the_last_audible_sample_not_from_the_last_one() -> None:
    recorder = TurnRecorder()
    recorder.sent(tone(1.0) + silence(0.4), 10.0)
    recorder.sent(silence(0.2), 10.2)
    recorder.question_sent()
    answer(recorder, at=10.5, pcm=tone(0.5))
    assert recorder.turn().voice_to_voice_ms == pytest.approx(900)


def test_silence_at_the_head_of_a_reply_is_part_of_the_latency() -> None:
    recorder = TurnRecorder()
    ask(recorder, ends_at=10.0)
    answer(recorder, at=10.5, pcm=silence(0.2))
    recorder.received(AudioDelta("r1", silence(0.1) + tone(0.2)), 10.55)
    # Played from 10.5 on: 0.2 s and 0.1 s of silence, then sound.
    assert recorder.turn().voice_to_voice_ms == pytest.approx(800)


def test_audio_that_comes_after_playback_ran_dry_leaves_a_gap() -> None:
    recorder = TurnRecorder()
    ask(recorder, ends_at=10.0)
    answer(recorder, at=10.5, pcm=tone(0.2))
    recorder.received(AudioDelta("r1", tone(0.3)), 10.6)  # in time: plays 10.7 to 11.0
    recorder.received(AudioDelta("r1", tone(0.1)), 11.25)  # 0.25 s late
    (gap,) = recorder.turn().gaps
    assert (gap.at_ms, gap.duration_ms) == pytest.approx((500, 250))


def test_a_pause_between_two_replies_is_no_gap() -> None:
    recorder = TurnRecorder()
    ask(recorder, ends_at=10.0)
    answer(recorder, at=10.5, pcm=tone(0.2), response_id="r1")
    answer(recorder, at=13.0, pcm=tone(0.2), response_id="r2")
    assert recorder.turn().gaps == ()


def test_a_reply_that_the_rest_of_the_question_interrupts_is_not_the_reply() -> None:
    recorder = TurnRecorder()
    recorder.sent(tone(1.0), 10.0)
    recorder.received(TranscriptionCompleted("item_1", "What is"), 10.6)
    answer(recorder, at=10.8, pcm=tone(0.3), response_id="r1")
    recorder.sent(tone(1.0), 12.0)
    recorder.received(SpeechStarted("item_3", 0), 11.1)
    done(recorder, at=11.1, response_id="r1", status="cancelled", why="turn_detected")
    recorder.question_sent()
    before = recorder.finished
    recorder.received(TranscriptionCompleted("item_3", "the capital of France?"), 12.6)
    answer(recorder, at=12.9, pcm=tone(0.4), response_id="r2")
    done(recorder, at=13.3, response_id="r2")
    turn = recorder.turn()
    assert (before, recorder.finished) == (False, True)
    assert turn.understood == "What is the capital of France?"
    assert turn.reply_pcm == tone(0.4)
    assert turn.voice_to_voice_ms == pytest.approx(900)


def test_a_short_reply_in_a_pause_of_the_question_does_not_end_the_turn() -> None:
    recorder = TurnRecorder()
    recorder.sent(tone(1.0), 10.0)
    answer(recorder, at=10.6, pcm=tone(0.1))
    done(recorder, at=10.7)
    assert not recorder.finished
    recorder.sent(tone(1.0), 12.0)
    recorder.question_sent()
    assert not recorder.finished


def test_a_reply_that_begins_before_the_question_is_over_has_no_latency() -> None:
    recorder = TurnRecorder()
    answer(recorder, at=9.0, pcm=tone(0.2))
    ask(recorder, ends_at=10.0)
    turn = recorder.turn()
    assert turn.cut_off
    assert turn.voice_to_voice_ms is None


def test_the_final_transcript_replaces_its_deltas() -> None:
    recorder = TurnRecorder()
    answer(recorder, at=1.0, pcm=tone(0.1))
    recorder.received(ReplyTranscriptDone("r1", "Paris, in France."), 1.1)
    assert recorder.answer == "Paris, in France."


def test_errors_are_kept() -> None:
    recorder = TurnRecorder()
    error = ErrorEvent("server_error", "stage_down", "tts is down", None, None)
    recorder.received(error, 1.0)
    assert recorder.turn().errors == (error,)


@pytest.mark.parametrize(
    ("pcm", "text", "status", "why", "problem"),
    [
        (tone(0.2), "Hi.", "completed", "", None),
        (tone(0.2), " ", "completed", "", "the reply has no words"),
        (silence(0.2), "Hi.", "completed", "", "the reply is silent"),
        (b"", "Hi.", "completed", "", "the reply is silent"),
        (tone(0.2), "Hi.", "failed", "tts is down", "the reply was failed: tts is down"),
        (tone(0.2), "Hi.", "incomplete", "", "the reply was incomplete"),
    ],
)
def test_what_is_wrong_with_a_reply(pcm: bytes, text: str, status: str, why: str, problem: str | None) -> None:
    recorder = TurnRecorder()
    recorder.received(AudioDelta("r1", pcm), 1.0)
    recorder.received(ReplyTranscriptDelta("r1", text), 1.0)
    done(recorder, at=2.0, status=status, why=why)
    assert recorder.turn().problem == problem


def test_a_turn_without_a_reply_says_how_far_it_came() -> None:
    recorder = TurnRecorder()
    assert recorder.progress == "no speech was noticed"
    assert recorder.turn().problem == "the reply was unfinished"
    ask(recorder, ends_at=1.0)
    assert recorder.progress == "speech was noticed but not understood"
    recorder.received(TranscriptionCompleted("item_1", "Hello"), 1.0)
    assert recorder.progress == "“Hello” was understood"
    recorder.received(ResponseCreated("r1"), 1.0)
    assert recorder.progress == "a reply began but did not end"


def test_noise_below_the_threshold_is_not_audible() -> None:
    # A sine of amplitude 0.007 has 0.005 RMS, that is -46 dBFS.
    assert audible_span(tone(1.0, amplitude=0.007)) is None
    assert audible_span(tone(1.0, amplitude=0.009)) == (0, 24_000)


@given(before=st.integers(0, 50), sound=st.integers(1, 50), after=st.integers(0, 2_399))
def test_the_audible_span_is_found_to_10_ms(before: int, sound: int, after: int) -> None:
    pcm = silence(before / 100) + tone(sound / 100) + bytes(2 * after)
    assert audible_span(pcm) == (before * 240, (before + sound) * 240)
