"""Audio that a client puts into the conversation as items, over scripted stages."""

import asyncio

from chassis.errors import Code, StageError
from services.orchestrator import events
from services.orchestrator.conversation import Item, Part, Role
from services.orchestrator.session_config import ReplyOverrides
from services.orchestrator.turn_events import CancelReason
from tests.services.orchestrator.conftest import Talk, talking
from tests.support.scripted import Script, speech

BROKEN = StageError(Code.INTERNAL, "DECODER_BROKEN", "the decoder broke")
TEXT = ReplyOverrides(modality="text")


def add_recording(talk: Talk, item_id: str = "item_1", seconds: float = 1.0) -> None:
    item = Item.of_parts(item_id, Role.USER, (Part("listen:"), Part(None, spoken=True)))
    talk.session.add_item(item, None, {1: speech(seconds)})


async def test_a_recording_joins_at_once_and_its_text_when_it_is_known() -> None:
    async with talking(Script(text_delay_s=0.05)) as talk:
        add_recording(talk)
        added = await talk.until(events.ItemAdded)
        assert added.item.parts == (Part("listen:"), Part(None, spoken=True))
        assert talk.session.conversation.get("item_1").text == "listen:"
        understood = await talk.until(events.AudioUnderstood)
        assert understood == events.AudioUnderstood("item_1", 1, "what time is it", 1.0)
        item = talk.session.conversation.get("item_1")
        assert item.parts == (Part("listen:"), Part("what time is it", spoken=True))
        assert item.text == "listen:\nwhat time is it"


async def test_a_reply_that_is_asked_for_behind_a_recording_waits_for_its_text() -> None:
    script = Script(texts=["first", "second"], text_delay_s=0.1)
    async with talking(script) as talk:
        add_recording(talk, "item_1")
        add_recording(talk, "item_2")
        talk.session.create_response(TEXT)
        talk.session.create_response(ReplyOverrides(modality="text", in_conversation=False))
        await talk.until(events.ReplyDone, count=2)
        kinds = [type(event) for event in talk.told]
        assert kinds.index(events.ReplyBegan) > max(
            at for at, kind in enumerate(kinds) if kind is events.AudioUnderstood
        )
    for chat in script.chats:
        assert [message.text for message in chat.history] == ["listen:\nfirst", "listen:\nsecond"]


async def test_recordings_are_transcribed_one_after_the_other() -> None:
    script = Script(text_delay_s=0.1)
    async with talking(script) as talk:
        for number in range(3):
            add_recording(talk, f"item_{number}")
        most = 0
        async with asyncio.timeout(10):
            while len(talk.all(events.AudioUnderstood)) < 3:
                most = max(most, script.streams["stt"])
                await asyncio.sleep(0.01)
        assert most == 1


async def test_what_cannot_be_transcribed_is_said_and_the_reply_comes_all_the_same() -> None:
    script = Script(failures={"stt": BROKEN})
    async with talking(script) as talk:
        add_recording(talk)
        talk.session.create_response(TEXT)
        failed = await talk.until(events.AudioNotUnderstood)
        assert (failed.item_id, failed.content_index, failed.failure.reason) == ("item_1", 1, "DECODER_BROKEN")
        await talk.until(events.ReplyDone)
        assert talk.session.conversation.get("item_1").parts[1].text is None
    assert [message.text for message in script.chats[0].history] == ["listen:"]


async def test_only_one_reply_of_the_conversation_waits() -> None:
    async with talking(Script(text_delay_s=0.1)) as talk:
        add_recording(talk)
        talk.session.create_response(TEXT, "first")
        talk.session.create_response(TEXT, "second")
        error = await talk.until(events.SessionError)
        assert (error.code, error.cause) == ("conversation_already_has_active_response", "second")
        await talk.until(events.ReplyDone)
        assert len(talk.all(events.ReplyBegan)) == 1


async def test_a_reply_that_waits_can_be_called_off() -> None:
    async with talking(Script(text_delay_s=0.1)) as talk:
        add_recording(talk)
        talk.session.create_response(ReplyOverrides(metadata={"who": "me"}))
        talk.session.cancel_response()
        done = await talk.until(events.ReplyDone)
        assert (done.cancelled, done.output) == (CancelReason.CLIENT, ())
        assert (await talk.until(events.ReplyBegan)).metadata == {"who": "me"}
        await talk.until(events.AudioUnderstood)
        talk.session.create_response(TEXT)
        assert (await talk.until(events.ReplyDone, count=2)).cancelled is None
        assert not talk.all(events.SessionError)


async def test_a_recording_whose_item_is_deleted_meanwhile_is_forgotten() -> None:
    async with talking(Script(text_delay_s=0.1)) as talk:
        add_recording(talk)
        talk.session.conversation.delete("item_1")
        talk.session.create_response(TEXT)
        await talk.until(events.ReplyDone)
        assert not talk.all(events.AudioUnderstood)


async def test_the_room_for_recordings_is_bounded_and_comes_back() -> None:
    async with talking(Script(text_delay_s=0.05), max_file_s=10) as talk:
        assert talk.session.recording_room_s == 10
        add_recording(talk, seconds=4)
        assert talk.session.recording_room_s == 6
        await talk.until(events.AudioUnderstood)
        await asyncio.sleep(0)
        assert talk.session.recording_room_s == 10
