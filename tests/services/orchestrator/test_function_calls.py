"""Function calls of a reply, over scripted stages: told while they are written, whole at the end."""

import pytest
from voxfleet.llm.v1 import llm_pb2

from services.orchestrator import events
from services.orchestrator.conversation import ItemKind, messages
from services.orchestrator.session_config import ReplyOverrides
from services.orchestrator.turn_events import CancelReason
from tests.services.orchestrator.conftest import talking
from tests.support.scripted import Script

WEATHER = llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city": "Paris"}')
TIMER = llm_pb2.ToolCall(id="call_2", name="timer", arguments_json='{"minutes": 3}')


async def test_a_call_is_told_while_it_is_written() -> None:
    async with talking(Script(replies=[""], calls=[WEATHER], call_delay_s=0.05)) as talk:
        talk.session.create_response(ReplyOverrides())
        began = await talk.until(events.OutputBegan)
        assert (began.item.kind, began.item.status) == (ItemKind.FUNCTION_CALL, "in_progress")
        assert (began.item.name, began.item.call_id, began.item.arguments) == ("weather", "call_1", "")
        await talk.until(events.CallArguments)
        assert not talk.all(events.OutputDone)
        done = await talk.until(events.ReplyDone)
        pieces = [event.delta for event in talk.all(events.CallArguments)]
        assert len(pieces) == 3
        assert "".join(pieces) == WEATHER.arguments_json
        (item,) = done.output
        assert (item.status, item.arguments) == ("completed", WEATHER.arguments_json)
        assert talk.session.conversation.items == [item]


async def test_calls_behind_a_message_come_after_it_one_by_one() -> None:
    async with talking(Script(replies=["Let me see."], calls=[WEATHER, TIMER], ms_per_character=5)) as talk:
        talk.session.create_response(ReplyOverrides())
        done = await talk.until(events.ReplyDone)
        assert [item.kind for item in done.output] == [
            ItemKind.MESSAGE,
            ItemKind.FUNCTION_CALL,
            ItemKind.FUNCTION_CALL,
        ]
        items = [event for event in talk.told if isinstance(event, events.OutputBegan | events.OutputDone)]
        assert [event.item.id for event in items] == [item.id for item in done.output for _ in range(2)]
        previous = [event.place.previous_item_id for event in items if event.place is not None]
        message, weather, _ = (item.id for item in done.output)
        assert previous == [None, None, message, message, weather, weather]
        assert talk.session.conversation.items == list(done.output)


async def test_a_message_that_is_cut_off_is_followed_by_no_call() -> None:
    script = Script(replies=["Let me look that up for you in a while."], calls=[WEATHER], ms_per_character=40)
    async with talking(script) as talk:
        talk.session.create_response(ReplyOverrides())
        await talk.until(events.ReplyAudio)
        talk.session.cancel_response()
        done = await talk.until(events.ReplyDone)
        assert [item.kind for item in done.output] == [ItemKind.MESSAGE]
        assert not talk.all(events.CallArguments)


async def test_a_call_that_is_cancelled_half_way_is_incomplete_and_is_not_shown_to_the_model() -> None:
    async with talking(Script(replies=[""], calls=[WEATHER], call_delay_s=0.1)) as talk:
        talk.session.create_response(ReplyOverrides())
        await talk.until(events.CallArguments)
        talk.session.cancel_response()
        done = await talk.until(events.ReplyDone)
        assert done.cancelled is CancelReason.CLIENT
        (item,) = done.output
        assert item.status == "incomplete"
        assert 0 < len(item.arguments) < len(WEATHER.arguments_json)
        assert talk.session.conversation.items == [item]
        assert messages([item]) == []


@pytest.mark.parametrize("reply", ["", "Let me see."])
async def test_a_call_that_the_limit_of_tokens_cuts_off_is_incomplete(reply: str) -> None:
    async with talking(Script(replies=[reply], calls=[WEATHER], cut_at_length=True, ms_per_character=5)) as talk:
        talk.session.create_response(ReplyOverrides())
        done = await talk.until(events.ReplyDone)
        assert done.cut_at_length
        assert [item.status for item in done.output] == ["incomplete"] * len(done.output)
        assert done.output[-1].kind is ItemKind.FUNCTION_CALL


@pytest.mark.parametrize("modality", ["audio", "text"])
async def test_blanks_before_a_call_make_no_message(modality: str) -> None:
    async with talking(Script(replies=["\n\n "], calls=[WEATHER])) as talk:
        talk.session.create_response(ReplyOverrides(modality="text" if modality == "text" else "audio"))
        done = await talk.until(events.ReplyDone)
        assert [item.kind for item in done.output] == [ItemKind.FUNCTION_CALL]
        assert done.item.text == ""


async def test_a_reply_of_nothing_has_no_items() -> None:
    async with talking(Script(replies=[""])) as talk:
        talk.session.create_response(ReplyOverrides())
        done = await talk.until(events.ReplyDone)
        assert (done.output, done.cancelled) == ((), None)
        assert not talk.session.conversation.items


async def test_a_call_that_a_draft_makes_is_told_when_the_turn_is_over() -> None:
    script = Script(replies=[""], calls=[WEATHER])
    async with talking(script, turn_detection="server_vad", silence_ms=400, drafts=True) as talk:
        await talk.say(0.4, then_silence=0.3)
        assert script.asked == ["what time is it"]
        assert not talk.all(events.OutputBegan)
        await talk.say(0.0, then_silence=0.4)
        done = await talk.until(events.ReplyDone)
        assert [item.arguments for item in done.output] == [WEATHER.arguments_json]
        kinds = [type(event) for event in talk.told]
        assert kinds.index(events.UserTurn) < kinds.index(events.ReplyBegan) < kinds.index(events.OutputBegan)
