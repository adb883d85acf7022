"""Conversations as the turn machine sees them. Times in seconds, offsets in samples at 16 kHz."""

from chassis.errors import Code, StageError
from services.orchestrator.endpointing import FixedSilence, SemanticEndpointing
from services.orchestrator.turn import Ear, Mouth, TurnMachine
from services.orchestrator.turn_config import TurnConfig
from services.orchestrator.turn_events import (
    Action,
    AnnounceIdle,
    AnnounceSpeech,
    AudioAdvanced,
    CancelReason,
    CancelReply,
    CancelResponse,
    Clear,
    CloseUtterance,
    Commit,
    CommitUser,
    ContinueUtterance,
    CreateResponse,
    DraftReady,
    EndTurn,
    Event,
    FinishReply,
    FlushUtterance,
    GiveUpText,
    Hypothesis,
    OpenUtterance,
    PauseReply,
    ReleaseReply,
    ReplyEnded,
    ReplyFailed,
    ReportError,
    ResumeReply,
    SkipDraft,
    SpeechStarted,
    SpeechStopped,
    StartReply,
    Transcript,
    Wake,
)
from tests.services.orchestrator.turn_invariants import Ledger, step

SECOND = 16_000


class Conversation:
    """A machine with a ledger that checks every step."""

    def __init__(self, config: TurnConfig | None = None) -> None:
        self.machine = TurnMachine(config or TurnConfig())
        self.ledger = Ledger()

    def at(self, now: float, event: Event) -> list[Action]:
        return step(self.machine, self.ledger, event, now)

    def spoken(self, start: float, end: float, text: str = "what time is it") -> list[Action]:
        """Someone speaks from `start` to `end`; 200 ms later the VAD knows, 100 ms after that the text is there."""
        number = self.machine._utterances + 1
        self.at(start + 0.1, SpeechStarted(int(start * SECOND)))
        self.at(end + 0.2, SpeechStopped(int(end * SECOND), int((end + 0.2) * SECOND), 0.9))
        return self.at(end + 0.3, Transcript(number, 1, text, "en"))

    def answered(self, start: float, end: float) -> None:
        """Someone speaks, the silence ends the turn, and the reply is being heard."""
        self.spoken(start, end)
        self.at(end + 0.5, AudioAdvanced(int((end + 0.5) * SECOND)))
        assert self.machine.mouth is Mouth.SPEAKING


def test_a_question_is_answered_once_its_silence_is_long_enough() -> None:
    talk = Conversation()
    assert talk.at(1.1, SpeechStarted(SECOND)) == [
        OpenUtterance(1, int(0.7 * SECOND)),  # 300 ms before the speech
        AnnounceSpeech(1, int(0.7 * SECOND)),
    ]
    assert talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), 0.9)) == [FlushUtterance(1, 1, int(2.2 * SECOND))]
    assert talk.at(2.3, Transcript(1, 1, "what time is it", "en")) == []
    assert talk.at(2.49, AudioAdvanced(int(2.49 * SECOND))) == []
    assert talk.at(2.5, AudioAdvanced(int(2.5 * SECOND))) == [
        EndTurn(1, 2 * SECOND),
        StartReply(1, "what time is it", "en"),
        CommitUser(1, "what time is it", "en", 2 * SECOND),
        CloseUtterance(1),
        ReleaseReply(1, draft=False),
    ]
    assert talk.at(6.0, ReplyEnded(1)) == [FinishReply(1)]
    assert (talk.machine.ear, talk.machine.mouth) == (Ear.QUIET, Mouth.SILENT)


def test_a_pause_shorter_than_the_silence_belongs_to_the_turn() -> None:
    talk = Conversation()
    talk.spoken(1.0, 2.0, "what is")
    assert talk.at(2.45, SpeechStarted(int(2.35 * SECOND))) == [ContinueUtterance(1)]
    talk.at(3.2, SpeechStopped(3 * SECOND, int(3.2 * SECOND), 0.9))
    assert talk.at(3.3, Transcript(1, 2, "what is the time", "en")) == []
    actions = talk.at(3.5, AudioAdvanced(int(3.5 * SECOND)))
    assert CommitUser(1, "what is the time", "en", 3 * SECOND) in actions


def test_a_question_mark_ends_a_turn_that_sounded_unfinished() -> None:
    talk = Conversation(TurnConfig(endpointing=SemanticEndpointing()))
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.1, SpeechStopped(2 * SECOND, int(2.1 * SECOND), 0.1))
    # Unfinished, by the sound of it: more than 1 s of silence. With a question to go by, 0.25 s are enough.
    assert talk.at(2.2, Transcript(1, 1, "is it a lemon?", "en")) == []
    assert talk.at(2.24, AudioAdvanced(int(2.24 * SECOND))) == []
    assert EndTurn(1, 2 * SECOND) in talk.at(2.26, AudioAdvanced(int(2.26 * SECOND)))


def test_text_that_comes_late_is_waited_for() -> None:
    talk = Conversation()
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), 0.9))
    assert talk.at(2.5, AudioAdvanced(int(2.5 * SECOND))) == [EndTurn(1, 2 * SECOND)]
    assert talk.machine.ear is Ear.ENDING
    assert ReleaseReply(1, draft=False) in talk.at(3.1, Transcript(1, 1, "hello", "en"))


def test_speech_that_begins_while_the_text_is_awaited_is_the_next_turn() -> None:
    talk = Conversation()
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), 0.9))
    talk.at(2.5, AudioAdvanced(int(2.5 * SECOND)))
    assert talk.at(2.8, SpeechStarted(int(2.7 * SECOND))) == []
    actions = talk.at(3.1, Transcript(1, 1, "hello", "en"))
    assert actions[-2:] == [OpenUtterance(2, int(2.4 * SECOND)), PauseReply(1)]


def test_a_client_that_stops_sending_is_answered_by_the_clock() -> None:
    talk = Conversation()
    talk.spoken(1.0, 2.0)
    wake_at = talk.machine.wake_at
    assert wake_at is not None
    assert 2.5 < wake_at < 2.8
    assert ReleaseReply(1, draft=False) in talk.at(wake_at, Wake())


def test_text_that_never_comes_is_an_error_and_the_session_goes_on() -> None:
    talk = Conversation()
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), 0.9))
    talk.at(2.5, AudioAdvanced(int(2.5 * SECOND)))
    actions = talk.at(2.5 + 15.0, Wake())
    assert [type(action) for action in actions] == [GiveUpText, CommitUser, CloseUtterance]
    talk.answered(20.0, 21.0)


def test_noise_gets_no_reply() -> None:
    talk = Conversation()
    talk.spoken(1.0, 1.3, text="")
    actions = talk.at(1.8, AudioAdvanced(int(1.8 * SECOND)))
    end = int(1.3 * SECOND)
    assert actions == [EndTurn(1, end), CommitUser(1, "", "en", end), CloseUtterance(1)]


def test_an_interruption_stops_the_reply() -> None:
    talk = Conversation()
    talk.answered(1.0, 2.0)
    assert PauseReply(1) in talk.at(4.1, SpeechStarted(4 * SECOND))
    assert talk.at(4.5, Hypothesis(2, "no wait")) == [
        AnnounceSpeech(2, int(3.7 * SECOND)),
        CancelReply(1, CancelReason.INTERRUPTED),
    ]


def test_a_listeners_sound_lets_the_reply_go_on() -> None:
    talk = Conversation()
    talk.answered(1.0, 2.0)
    actions = talk.spoken(4.0, 4.4, text="Mm-hm.")
    assert actions == [CloseUtterance(2), ResumeReply(1)]
    assert talk.machine.mouth is Mouth.SPEAKING


def test_the_loudspeakers_own_words_do_not_interrupt_it() -> None:
    talk = Conversation()
    talk.answered(1.0, 2.0)
    talk.at(4.1, SpeechStarted(4 * SECOND))
    assert talk.at(4.5, Hypothesis(2, "the capital of France", spoken="The capital of France is Paris.")) == []
    assert CancelReply(1, CancelReason.INTERRUPTED) in talk.at(
        4.9, Hypothesis(2, "stop that please", spoken="The capital of France is Paris.")
    )


def test_speech_that_goes_on_takes_the_floor_before_its_text_is_known() -> None:
    talk = Conversation()
    talk.answered(1.0, 2.0)
    talk.at(4.1, SpeechStarted(4 * SECOND))
    wake_at = talk.machine.wake_at
    assert wake_at is not None
    assert CancelReply(1, CancelReason.INTERRUPTED) in talk.at(wake_at, Wake())


def test_where_replies_may_not_be_interrupted_the_next_one_waits() -> None:
    talk = Conversation(TurnConfig(interrupt_response=False))
    talk.answered(1.0, 2.0)
    talk.spoken(4.0, 5.0, "and tomorrow")
    actions = talk.at(5.5, AudioAdvanced(int(5.5 * SECOND)))
    assert CommitUser(2, "and tomorrow", "en", 5 * SECOND) in actions
    assert talk.at(7.0, ReplyEnded(1)) == [FinishReply(1), StartReply(2, "", ""), ReleaseReply(2, draft=False)]


def test_a_draft_that_is_kept_is_the_reply() -> None:
    talk = Conversation(TurnConfig(drafts=True))
    assert talk.spoken(1.0, 2.0) == [StartReply(1, "what time is it", "en")]
    actions = talk.at(2.5, AudioAdvanced(int(2.5 * SECOND)))
    assert actions[-1] == ReleaseReply(1, draft=True)


def test_where_there_is_no_room_for_a_draft_the_reply_begins_at_the_commit() -> None:
    talk = Conversation(TurnConfig(drafts=True))
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), 0.9))
    assert talk.at(2.3, Transcript(1, 1, "what time is it", "en", may_draft=False)) == [SkipDraft(1)]
    assert talk.machine.mouth is Mouth.SILENT
    assert talk.at(2.5, AudioAdvanced(int(2.5 * SECOND))) == [
        EndTurn(1, 2 * SECOND),
        StartReply(1, "what time is it", "en"),
        CommitUser(1, "what time is it", "en", 2 * SECOND),
        CloseUtterance(1),
        ReleaseReply(1, draft=False),
    ]


def test_a_reply_that_the_turn_waits_for_is_begun_with_or_without_room() -> None:
    talk = Conversation(TurnConfig(drafts=True))
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), 0.9))
    assert talk.at(2.5, AudioAdvanced(int(2.5 * SECOND))) == [EndTurn(1, 2 * SECOND)]
    actions = talk.at(2.6, Transcript(1, 1, "what time is it", "en", may_draft=False))
    assert actions[0] == StartReply(1, "what time is it", "en")
    assert actions[-1] == ReleaseReply(1, draft=False)


def test_speech_that_goes_on_after_a_skipped_draft_may_be_drafted_later() -> None:
    talk = Conversation(TurnConfig(drafts=True))
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), 0.9))
    talk.at(2.3, Transcript(1, 1, "what time", "en", may_draft=False))
    assert talk.at(2.4, SpeechStarted(int(2.35 * SECOND))) == [ContinueUtterance(1)]
    talk.at(3.2, SpeechStopped(3 * SECOND, int(3.2 * SECOND), 0.9))
    assert talk.at(3.3, Transcript(1, 2, "what time is it", "en")) == [StartReply(1, "what time is it", "en")]
    assert talk.machine.mouth is Mouth.DRAFTING


def test_a_draft_is_thrown_away_when_speech_resumes() -> None:
    talk = Conversation(TurnConfig(drafts=True))
    talk.spoken(1.0, 2.0)
    assert talk.at(2.4, SpeechStarted(int(2.3 * SECOND))) == [
        CancelReply(1, CancelReason.DRAFT_DISCARDED),
        ContinueUtterance(1),
    ]


def test_push_to_talk_ends_a_turn_with_the_commit_and_replies_when_asked() -> None:
    talk = Conversation(TurnConfig(detection=False))
    assert talk.at(0.1, AudioAdvanced(1_600)) == [OpenUtterance(1, 0)]
    assert talk.at(0.5, SpeechStarted(0)) == []
    assert talk.at(2.0, Commit(2 * SECOND)) == [
        AnnounceSpeech(1, 0),
        FlushUtterance(1, 1, 2 * SECOND),
        EndTurn(1, 2 * SECOND),
    ]
    assert talk.at(2.1, Transcript(1, 1, "hello", "en")) == [
        CommitUser(1, "hello", "en", 2 * SECOND),
        CloseUtterance(1),
    ]
    assert talk.at(2.2, CreateResponse()) == [StartReply(1, "", ""), ReleaseReply(1, draft=False)]


def test_an_empty_buffer_cannot_be_committed() -> None:
    talk = Conversation(TurnConfig(detection=False))
    (refusal,) = talk.at(0.1, Commit(0))
    assert isinstance(refusal, ReportError)
    assert refusal.code == "input_audio_buffer_commit_empty"


def test_a_clear_throws_away_what_is_being_said() -> None:
    talk = Conversation(TurnConfig(detection=False))
    talk.at(0.1, AudioAdvanced(1_600))
    assert talk.at(0.2, Clear(3_200)) == [CloseUtterance(1)]
    assert talk.at(0.3, AudioAdvanced(4_800)) == [OpenUtterance(2, 3_200)]


def test_a_second_reply_at_once_is_refused() -> None:
    talk = Conversation()
    talk.at(0.0, CreateResponse())
    (refusal,) = talk.at(0.1, CreateResponse())
    assert isinstance(refusal, ReportError)
    assert refusal.code == "conversation_already_has_active_response"


def test_the_client_can_stop_a_reply() -> None:
    talk = Conversation()
    talk.at(0.0, CreateResponse())
    assert talk.at(0.5, CancelResponse()) == [CancelReply(1, CancelReason.CLIENT)]
    (refusal,) = talk.at(0.6, CancelResponse())
    assert isinstance(refusal, ReportError)


def test_after_a_long_silence_the_assistant_speaks_first() -> None:
    talk = Conversation(TurnConfig(idle_timeout_s=5.0))
    talk.answered(1.0, 2.0)
    talk.at(6.0, ReplyEnded(1))
    assert talk.machine.wake_at == 11.0
    assert talk.at(11.0, Wake()) == [AnnounceIdle(), StartReply(2, "", ""), ReleaseReply(2, draft=False)]


def test_no_silence_at_all_ends_a_turn_at_once() -> None:
    talk = Conversation(TurnConfig(endpointing=FixedSilence(0.0)))
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.2, SpeechStopped(2 * SECOND, int(2.2 * SECOND), None))
    assert talk.machine.ear is Ear.ENDING


def drafting() -> Conversation:
    """Someone has asked a question that is complete; its reply is being drafted."""
    talk = Conversation(TurnConfig(endpointing=SemanticEndpointing(), drafts=True))
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.1, SpeechStopped(2 * SECOND, int(2.1 * SECOND), 0.95))
    assert talk.at(2.2, Transcript(1, 1, "What time is it?", "en")) == [StartReply(1, "What time is it?", "en")]
    return talk


def test_a_turn_is_taken_when_the_draft_can_be_heard_and_no_sooner() -> None:
    talk = drafting()
    assert talk.at(2.4, AudioAdvanced(int(2.4 * SECOND))) == []
    actions = talk.at(2.45, DraftReady(1))
    assert (actions[0], actions[-1]) == (EndTurn(1, 2 * SECOND), ReleaseReply(1, draft=True))


def test_a_draft_that_is_ready_early_waits_for_the_silence() -> None:
    talk = drafting()
    assert talk.at(2.21, DraftReady(1)) == []
    assert talk.at(2.24, AudioAdvanced(int(2.24 * SECOND))) == []
    assert ReleaseReply(1, draft=True) in talk.at(2.26, AudioAdvanced(int(2.26 * SECOND)))


def test_speech_that_goes_on_while_the_draft_is_made_is_not_cut_off() -> None:
    talk = drafting()
    talk.at(2.4, AudioAdvanced(int(2.4 * SECOND)))
    assert talk.at(2.5, SpeechStarted(int(2.42 * SECOND))) == [
        CancelReply(1, CancelReason.DRAFT_DISCARDED),
        ContinueUtterance(1),
    ]


def test_a_draft_is_not_waited_for_for_long() -> None:
    talk = drafting()
    assert talk.at(2.59, AudioAdvanced(int(2.59 * SECOND))) == []
    assert ReleaseReply(1, draft=True) in talk.at(2.6, AudioAdvanced(int(2.6 * SECOND)))


def test_a_draft_that_fails_is_not_waited_for() -> None:
    talk = drafting()
    talk.at(2.4, AudioAdvanced(int(2.4 * SECOND)))
    gone = StageError(Code.UNAVAILABLE, "GONE", "gone")
    actions = talk.at(2.45, ReplyFailed(1, gone))
    assert actions[:2] == [CancelReply(1, CancelReason.FAILED, gone), EndTurn(1, 2 * SECOND)]
    assert actions[-1] == ReleaseReply(2, draft=False)


def test_a_fixed_silence_is_what_it_says_whatever_the_draft() -> None:
    talk = Conversation(TurnConfig(drafts=True))
    talk.spoken(1.0, 2.0)
    assert ReleaseReply(1, draft=True) in talk.at(2.5, AudioAdvanced(int(2.5 * SECOND)))


def test_text_that_comes_after_the_silence_ends_the_turn_at_once() -> None:
    talk = Conversation(TurnConfig(endpointing=SemanticEndpointing()))
    talk.at(1.1, SpeechStarted(SECOND))
    talk.at(2.1, SpeechStopped(2 * SECOND, int(2.1 * SECOND), 0.95))
    assert talk.at(2.4, AudioAdvanced(int(2.4 * SECOND))) == []
    assert EndTurn(1, 2 * SECOND) in talk.at(2.41, Transcript(1, 1, "What time is it?", "en"))


def test_push_to_talk_is_answered_with_what_was_said_although_the_text_comes_later() -> None:
    talk = Conversation(TurnConfig(detection=False))
    talk.at(1.0, AudioAdvanced(SECOND))
    talk.at(2.0, Commit(2 * SECOND))
    assert talk.at(2.0, CreateResponse()) == []
    assert talk.machine.owes_reply
    assert talk.at(2.3, Transcript(1, 1, "what time is it", "en")) == [
        CommitUser(1, "what time is it", "en", 2 * SECOND),
        CloseUtterance(1),
        StartReply(1, "", ""),
        ReleaseReply(1, draft=False),
    ]


def test_a_reply_that_waits_for_a_text_comes_also_where_the_text_does_not() -> None:
    talk = Conversation(TurnConfig(detection=False))
    talk.at(1.0, AudioAdvanced(SECOND))
    talk.at(2.0, Commit(2 * SECOND))
    talk.at(2.0, CreateResponse())
    assert talk.at(20.0, Wake())[-1] == ReleaseReply(1, draft=False)
