"""Speech that cannot be transcribed, over scripted stages: the client is told which item it is, and the turn ends."""

from dataclasses import replace

from chassis.errors import Code, StageError
from services.orchestrator import events
from services.orchestrator.session_config import ReplyOverrides
from services.orchestrator.turn_events import CancelReason
from tests.services.orchestrator.conftest import Talk, talking
from tests.support.scripted import Script, speech

BROKEN = StageError(Code.INTERNAL, "DECODER_BROKEN", "the decoder broke")
TEXT = ReplyOverrides(modality="text")


def push_to_talk(talk: Talk) -> None:
    config = talk.session.config
    talk.session.configure(replace(config, turn=replace(config.turn, detection=False)))


async def test_a_turn_whose_transcription_fails_is_an_item_and_the_next_one_is_answered() -> None:
    script = Script(failures={"stt": BROKEN})
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=0.1)
        lost = await talk.until(events.UserTurn)
        assert lost.failure is not None
        assert (lost.failure.reason, lost.failure.stage, lost.item.text) == ("DECODER_BROKEN", "stt", "")
        assert talk.session.conversation.items == [lost.item]
        script.failures.clear()
        await talk.say(0.0, then_silence=0.3)
        await talk.say(0.4, then_silence=0.7)
        await talk.until(events.ReplyDone)
        second = await talk.until(events.UserTurn, count=2)
        assert (second.previous_item_id, second.failure) == (lost.item.id, None)
        assert not talk.all(events.SessionError)
    assert [message.text for message in script.chats[-1].history] == []


async def test_a_text_that_never_comes_is_a_failed_transcription() -> None:
    async with talking(Script(text_delay_s=5.0), transcript_timeout_s=0.2) as talk:
        await talk.say(0.4, then_silence=0.8)
        lost = await talk.until(events.UserTurn)
        assert lost.failure is not None
        assert (lost.failure.reason, lost.failure.code) == ("TRANSCRIPTION_TIMEOUT", Code.DEADLINE_EXCEEDED)


async def test_a_reply_that_was_asked_for_comes_though_the_text_does_not() -> None:
    async with talking(Script(failures={"stt": BROKEN})) as talk:
        push_to_talk(talk)
        await talk.session.append_audio(speech(0.5))
        talk.session.commit_audio()
        talk.session.create_response(TEXT)
        assert (await talk.until(events.ReplyDone)).cancelled is None
        assert (await talk.until(events.UserTurn)).failure is not None


async def test_speech_during_a_reply_that_cannot_be_transcribed_is_said_as_an_error() -> None:
    script = Script(replies=[" ".join(["word"] * 30)], ms_per_character=10)
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=0.4)
        await talk.until(events.ReplyAudio)
        script.failures["stt"] = BROKEN
        await talk.say(0.3)
        error = await talk.until(events.SessionError)
        assert (error.code, error.stage) == ("decoder_broken", "stt")
        assert (await talk.until(events.ReplyDone)).cancelled is None
        assert len(talk.all(events.UserTurn)) == 1


async def test_a_reply_that_waits_for_the_text_of_the_turn_can_be_called_off() -> None:
    async with talking(Script(text_delay_s=0.2)) as talk:
        push_to_talk(talk)
        await talk.session.append_audio(speech(0.5))
        talk.session.commit_audio()
        talk.session.create_response(ReplyOverrides(metadata={"who": "me"}))
        talk.session.cancel_response()
        done = await talk.until(events.ReplyDone)
        assert (done.cancelled, done.output) == (CancelReason.CLIENT, ())
        assert (await talk.until(events.ReplyBegan)).metadata == {"who": "me"}
        await talk.until(events.UserTurn)
        talk.session.create_response(TEXT)
        assert (await talk.until(events.ReplyDone, count=2)).cancelled is None
        assert len(talk.all(events.ReplyBegan)) == 2
        assert not talk.all(events.SessionError)


async def test_a_turn_of_nothing_understood_is_an_item_that_the_model_is_not_shown() -> None:
    script = Script(texts=[""], partials=False)
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=0.8)
        turn = await talk.until(events.UserTurn)
        assert (turn.item.text, turn.failure) == ("", None)
        assert talk.session.conversation.items == [turn.item]
        assert talk.session.conversation.messages() == []


async def test_a_silence_that_lasts_too_long_is_an_item_and_is_answered() -> None:
    async with talking(Script(ms_per_character=5)) as talk:
        config = talk.session.config
        talk.session.configure(replace(config, turn=replace(config.turn, idle_timeout_s=0.5)))
        await talk.say(0.4, then_silence=1.8)
        idle = await talk.until(events.IdleTimeout)
        assert 450 <= idle.end_ms - idle.start_ms <= 500
        silent = await talk.until(events.UserTurn, count=2)
        assert (silent.item.id, silent.item.text) == (idle.item_id, "")
        await talk.until(events.ReplyBegan, count=2)
        assert talk.session.conversation.get(idle.item_id) == silent.item
