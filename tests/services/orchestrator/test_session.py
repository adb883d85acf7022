"""Sessions over scripted stages: what the client is told, what the history holds, what is freed."""

import asyncio
import gc
import weakref
from dataclasses import replace

from voxfleet.llm.v1 import llm_pb2

from chassis.errors import Code, StageError
from services.orchestrator import events
from services.orchestrator.conversation import Item, ItemKind, Role
from services.orchestrator.session_config import ReplyOverrides
from services.orchestrator.turn_events import CancelReason
from tests.services.orchestrator.conftest import talking
from tests.support.scripted import TTS_RATE, Script, speech

GONE = StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")


async def test_a_spoken_question_is_answered_aloud_and_both_join_the_history() -> None:
    async with talking(Script()) as talk:
        await talk.say(0.8, then_silence=0.8)
        done = await talk.until(events.ReplyDone)
        kinds = [type(event) for event in talk.told if not isinstance(event, events.PartialTranscript)]
        assert kinds[:6] == [
            events.SpeechBegan,
            events.SpeechEnded,
            events.UserTurn,
            events.ReplyBegan,
            events.OutputBegan,
            events.ReplyText,
        ]
        assert done.item.text == "It is noon. The sun is high."
        assert [(item.role, item.text) for item in talk.session.conversation.items] == [
            (Role.USER, "what time is it"),
            (Role.ASSISTANT, "It is noon. The sun is high."),
        ]
        seconds = sum(len(audio.pcm) for audio in talk.all(events.ReplyAudio)) / 2 / TTS_RATE
        assert abs(seconds - 0.02 * len("It is noon. The sun is high.")) < 0.01


async def test_the_second_turn_knows_the_first() -> None:
    script = Script(texts=["my name is Ada", "what is my name"], replies=["Hello Ada.", "Ada."])
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=0.7)
        await talk.until(events.ReplyDone)
        await talk.say(0.4, then_silence=0.7)
        await talk.until(events.ReplyDone, count=2)
    assert [message.text for message in script.chats[1].history] == ["my name is Ada", "Hello Ada."]
    assert script.asked == ["my name is Ada", "what is my name"]


async def test_the_marks_of_a_turn_come_in_order() -> None:
    script = Script(text_delay_s=0.05, first_token_delay_s=0.05, audio_delay_s=0.05)
    async with talking(script, turn_detection="server_vad", drafts=False) as talk:
        await talk.say(0.4, then_silence=0.9)
        marks = (await talk.until(events.TurnMeasured)).marks
    names = ["flush", "transcript", "endpoint", "generate", "first_token", "first_clause", "first_audio", "audio_sent"]
    assert [marks[name] for name in names] == sorted(marks.values())
    assert marks["endpoint"] >= 450  # 500 ms of silence, less what the audio was late
    assert marks["first_token"] - marks["generate"] >= 50


async def test_the_language_model_is_warmed_while_the_person_speaks() -> None:
    script = Script()
    async with talking(script) as talk:
        await talk.say(0.8, then_silence=0.6)
        await talk.until(events.ReplyDone)
    assert script.prefills == ["", "what time is it"]  # the conversation, then the partial
    assert script.asked == ["what time is it"]
    assert len(script.chats) == 1  # all on one stream


async def test_a_language_model_that_is_lost_before_it_is_asked_is_asked_anew() -> None:
    script = Script(failures={"llm": GONE})
    async with talking(script) as talk:
        await talk.say(0.4)
        script.failures.clear()
        await talk.say(0.0, then_silence=0.6)
        assert (await talk.until(events.ReplyDone)).cancelled is None


async def test_after_an_interruption_the_model_is_warmed_with_what_was_heard() -> None:
    script = Script(texts=["tell me a story", "no wait stop it"], replies=[" ".join(["word"] * 100), "All right."])
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=1.2)
        await talk.say(0.8, then_silence=0.6)
        await talk.until(events.ReplyDone, count=2)
    assert len(script.chats) == 2
    assert script.chats[1].history[1].text.startswith("word")


async def test_a_draft_runs_before_the_turn_is_over_and_is_heard_after() -> None:
    async with talking(Script(), turn_detection="server_vad", drafts=True) as talk:
        await talk.say(0.4, then_silence=0.9)
        measured = await talk.until(events.TurnMeasured)
        assert measured.draft
        assert measured.marks["first_audio"] < measured.marks["endpoint"] <= measured.marks["audio_sent"]
        # The audio was there already: nothing is left to wait for.
        assert measured.marks["audio_sent"] - measured.marks["endpoint"] < 50
        assert (await talk.until(events.ReplyDone)).item.text == "It is noon. The sun is high."


async def test_a_draft_whose_speaker_goes_on_is_never_heard() -> None:
    script = Script(texts=["what is"], replies=["What is what?", "It is noon."])
    async with talking(script, turn_detection="server_vad", drafts=True) as talk:
        await talk.say(0.4, then_silence=0.3)
        assert script.asked == ["what is"]  # the draft was begun
        await talk.say(0.4, then_silence=0.9)
        assert (await talk.until(events.ReplyDone)).item.text == "It is noon."
        assert len(talk.all(events.ReplyBegan)) == 1
        assert [item.text for item in talk.session.conversation.items] == ["what is", "It is noon."]


async def test_an_interruption_stops_the_reply_and_the_history_holds_what_was_heard() -> None:
    long_reply = " ".join(f"word{number}" for number in range(100))
    script = Script(texts=["tell me a story", "no wait stop"], replies=[long_reply, "All right."])
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=1.6)
        await talk.say(0.8, then_silence=0.7)
        first = await talk.until(events.ReplyDone)
        assert first.cancelled is CancelReason.INTERRUPTED
        assert first.item.status == "incomplete"
        heard = first.item.text.split()
        assert 0 < len(heard) < 40
        assert long_reply.startswith(first.item.text)
        await talk.until(events.ReplyDone, count=2)
    assert script.chats[1].history[1].text == first.item.text


async def test_a_listeners_sound_does_not_end_the_reply() -> None:
    reply = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen."
    script = Script(texts=["count", "mm-hm"], replies=[reply])
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=1.0)
        await talk.say(0.3, then_silence=0.6)
        done = await talk.until(events.ReplyDone)
        assert done.cancelled is None
        assert done.item.text == reply
        assert len(talk.all(events.SpeechBegan)) == 1


async def test_a_reply_that_the_language_model_cannot_give_is_an_error_and_the_next_turn_works() -> None:
    script = Script(failures={"llm": GONE})
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=0.7)
        done = await talk.until(events.ReplyDone)
        assert done.cancelled is CancelReason.FAILED
        assert done.error is not None
        assert (done.error.stage, done.error.reason) == ("llm", "GONE")
        (said,) = talk.all(events.SessionError)
        assert (said.stage, said.code) == ("llm", "gone")
        script.failures.clear()
        await talk.say(0.4, then_silence=0.7)
        assert (await talk.until(events.ReplyDone, count=2)).cancelled is None


async def test_speech_is_not_lost_while_the_transcriber_restarts() -> None:
    script = Script(failures={"stt": GONE})
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=0.1)
        script.failures.clear()
        await talk.say(0.0, then_silence=0.7)
        assert (await talk.until(events.ReplyDone)).item.text


async def test_a_lost_voice_detector_is_said_once_and_found_again() -> None:
    script = Script(failures={"vad": GONE})
    async with talking(script) as talk:
        error = await talk.until(events.SessionError)
        assert error.stage == "vad"
        await talk.say(0.0, then_silence=0.5)
        script.failures.clear()
        await talk.say(0.0, then_silence=1.2)
        await talk.say(0.4, then_silence=0.7)
        await talk.until(events.ReplyDone)
        assert len(talk.all(events.SessionError)) == 1


async def test_a_written_question_is_answered() -> None:
    script = Script()
    async with talking(script) as talk:
        talk.session.add_item(Item("item_1", text="hello"))
        talk.session.create_response(ReplyOverrides(modality="text"))
        done = await talk.until(events.ReplyDone)
        assert done.item.text == "It is noon. The sun is high."
        assert not talk.all(events.ReplyAudio)
    assert script.chats[0].history[0].text == "hello"


async def test_a_reply_to_the_conversation_leaves_the_marks_of_the_turn_that_is_being_spoken() -> None:
    script = Script(replies=["Hello.", "It is noon."])
    async with talking(script, turn_detection="server_vad", drafts=False) as talk:
        await talk.say(0.4, then_silence=0.2)  # the text has been asked for, the turn is not over
        talk.session.create_response(ReplyOverrides(modality="text"))
        await talk.until(events.ReplyDone)
        await talk.say(0.0, then_silence=0.5)
        marks = (await talk.until(events.TurnMeasured)).marks
    order = ["flush", "transcript", "endpoint", "generate", "audio_sent"]
    assert [mark for mark in order if mark in marks] == order
    assert marks["transcript"] < marks["endpoint"] < marks["generate"]


async def test_what_one_reply_is_told_does_not_stay_for_the_next() -> None:
    script = Script()
    async with talking(script) as talk:
        talk.session.create_response(ReplyOverrides(instructions="be brief", modality="text", max_output_tokens=7))
        await talk.until(events.ReplyDone)
        talk.session.create_response(ReplyOverrides(modality="text"))
        await talk.until(events.ReplyDone, count=2)
    assert (script.chats[0].instructions, script.chats[0].max_output_tokens) == ("be brief", 7)
    assert script.chats[1].instructions != "be brief"


async def test_a_reply_that_waits_for_the_text_of_the_turn_keeps_what_it_was_told() -> None:
    script = Script(text_delay_s=0.2)
    async with talking(script) as talk:
        config = talk.session.config
        talk.session.configure(replace(config, turn=replace(config.turn, detection=False)))
        await talk.session.append_audio(speech(0.5))
        talk.session.commit_audio()
        talk.session.create_response(ReplyOverrides(instructions="be brief", modality="text"))
        await talk.until(events.ReplyDone)
        talk.session.create_response(ReplyOverrides(modality="text"))
        await talk.until(events.ReplyDone, count=2)
    first, second = script.chats[-2:]
    assert first.instructions == "be brief" != second.instructions
    assert [message.text for message in first.history] == ["what time is it"]


async def test_a_function_call_joins_the_history_after_the_message() -> None:
    call = llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city": "Paris"}')
    async with talking(Script(calls=[call], replies=["Let me see."])) as talk:
        talk.session.create_response(ReplyOverrides())
        done = await talk.until(events.ReplyDone)
        kinds = [ItemKind.MESSAGE, ItemKind.FUNCTION_CALL]
        assert [item.kind for item in done.output] == kinds
        assert [item.kind for item in talk.session.conversation.items] == kinds


async def test_a_reply_that_only_calls_a_function_has_no_message() -> None:
    call = llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city": "Paris"}')
    async with talking(Script(calls=[call], replies=[""])) as talk:
        talk.session.create_response(ReplyOverrides())
        done = await talk.until(events.ReplyDone)
        assert [item.name for item in done.output] == ["weather"]
        assert [item.name for item in talk.session.conversation.items] == ["weather"]


async def test_a_stopped_reply_can_be_cut_to_what_was_heard() -> None:
    script = Script(replies=["one two three four five six seven eight nine ten."])
    async with talking(script) as talk:
        talk.session.create_response(ReplyOverrides())
        began = await talk.until(events.ReplyBegan)
        await talk.until(events.ReplyDone)
        # 20 ms a character: 280 ms is "one two three ", to whole words.
        assert talk.session.truncate(began.item_id, 280).text == "one two three"


async def test_the_reply_is_spoken_in_the_persons_language() -> None:
    script = Script(texts=["今天天气怎么样"], language="zh", replies=["今天天气很好。"])
    async with talking(script) as talk:
        await talk.say(0.4, then_silence=0.7)
        await talk.until(events.ReplyDone)
    assert [voice.language for voice in script.voices] == ["zh"]


async def test_audio_faster_than_real_time_is_taken_by_its_own_clock() -> None:
    script = Script(texts=["first", "second"], replies=["One.", "Two."])
    async with talking(script) as talk:
        from tests.support.scripted import silence, speech

        await talk.session.append_audio(speech(0.5) + silence(0.8))
        await talk.until(events.ReplyDone)
        await talk.session.append_audio(speech(0.5) + silence(0.8))
        await talk.until(events.ReplyDone, count=2)
    assert script.asked == ["first", "second"]


async def test_a_session_that_ended_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()

    async def one_turn() -> weakref.ref[object]:
        async with talking(Script()) as talk:
            await talk.say(0.4, then_silence=0.5)
            await talk.until(events.ReplyDone)
            return weakref.ref(talk.session)

    ended = await one_turn()
    gc.collect()
    assert ended() is None
    assert {task for task in asyncio.all_tasks() - before if "grpc" not in repr(task)} == set()
