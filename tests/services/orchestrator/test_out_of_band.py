"""Replies beside the conversation, over scripted stages: they leave it, and the reply being spoken, as they are."""

from voxfleet.llm.v1 import llm_pb2

from chassis.errors import Code, StageError
from services.orchestrator import events
from services.orchestrator.conversation import Item, Role
from services.orchestrator.out_of_band import MAX_AT_ONCE
from services.orchestrator.session_config import ReplyOverrides
from services.orchestrator.turn_events import CancelReason
from tests.services.orchestrator.conftest import Talk, talking
from tests.support.scripted import Script

ASIDE = ReplyOverrides(modality="text", metadata={"topic": "mood"}, in_conversation=False)
LONG = " ".join(f"word{number}" for number in range(60))


def began(talk: Talk, response_id: str) -> events.ReplyBegan:
    (found,) = (event for event in talk.all(events.ReplyBegan) if event.response_id == response_id)
    return found


async def test_a_reply_beside_the_conversation_joins_nothing() -> None:
    async with talking(Script(replies=["happy"])) as talk:
        talk.session.add_item(Item("item_1", text="What a day!"))
        talk.session.create_response(ASIDE)
        done = await talk.until(events.ReplyDone)
        assert (done.item.text, done.cancelled) == ("happy", None)
        assert began(talk, done.response_id).metadata == {"topic": "mood"}
        assert not began(talk, done.response_id).in_conversation
        (output,) = talk.all(events.OutputBegan)
        (ended,) = talk.all(events.OutputDone)
        assert output.place is ended.place is None
        assert [item.id for item in talk.session.conversation.items] == ["item_1"]


async def test_one_runs_while_a_reply_is_spoken_and_disturbs_nothing() -> None:
    script = Script(replies=[LONG, "bored"], ms_per_character=5)
    async with talking(script) as talk:
        talk.session.create_response(ReplyOverrides())
        spoken = await talk.until(events.ReplyAudio)
        talk.session.create_response(ASIDE)
        aside = await talk.until(events.ReplyDone)
        assert aside.item.text == "bored"
        done = await talk.until(events.ReplyDone, count=2)
        assert (done.response_id, done.item.text, done.cancelled) == (spoken.response_id, LONG, None)
        assert not talk.all(events.SessionError)
    # What is still being said has not been heard yet.
    assert list(script.chats[1].history) == []


async def test_it_is_shown_its_own_input_instead_of_the_conversation() -> None:
    script = Script()
    tool = llm_pb2.Tool(name="classify")
    async with talking(script) as talk:
        for number in range(3):
            talk.session.add_item(Item(f"item_{number}", text=f"line {number}"))
        shown = ("item_2", Item("own", role=Role.SYSTEM, text="classify"), "gone")
        wish = ReplyOverrides(
            instructions="Be terse.",
            modality="text",
            input=shown,
            tools=(tool,),
            max_output_tokens=7,
            in_conversation=False,
        )
        talk.session.create_response(wish)
        await talk.until(events.ReplyDone)
        talk.session.create_response(ReplyOverrides(modality="text", input=(), in_conversation=False))
        await talk.until(events.ReplyDone, count=2)
    first, second = script.chats
    assert [message.text for message in first.history] == ["line 2", "classify"]
    assert (first.instructions, first.max_output_tokens, list(first.tools)) == ("Be terse.", 7, [tool])
    assert list(second.history) == []


async def test_a_reply_of_the_conversation_may_have_input_of_its_own_too() -> None:
    script = Script()
    async with talking(script) as talk:
        talk.session.add_item(Item("item_1", text="hello"))
        talk.session.create_response(ReplyOverrides(modality="text", input=(Item("own", text="good night"),)))
        await talk.until(events.ReplyDone)
        assert [item.text for item in talk.session.conversation.items] == ["hello", "It is noon. The sun is high."]
    assert [message.text for message in script.chats[0].history] == ["good night"]


async def test_it_can_be_spoken_beside_the_turns() -> None:
    async with talking(Script(ms_per_character=5)) as talk:
        talk.session.create_response(ReplyOverrides(in_conversation=False))
        done = await talk.until(events.ReplyDone)
        assert {audio.response_id for audio in talk.all(events.ReplyAudio)} == {done.response_id}
        assert not talk.all(events.TurnMeasured)


async def test_only_a_few_run_at_once_and_room_comes_back() -> None:
    script = Script(first_token_delay_s=0.2)
    async with talking(script) as talk:
        for number in range(MAX_AT_ONCE + 1):
            talk.session.create_response(ASIDE, f"request {number}")
        error = await talk.until(events.SessionError)
        assert (error.code, error.cause) == ("too_many_responses", f"request {MAX_AT_ONCE}")
        await talk.until(events.ReplyDone, count=MAX_AT_ONCE)
        talk.session.create_response(ASIDE)
        await talk.until(events.ReplyDone, count=MAX_AT_ONCE + 1)
        assert len(talk.all(events.SessionError)) == 1


async def test_one_is_cancelled_by_its_id_and_the_others_go_on() -> None:
    async with talking(Script(replies=[LONG], token_delay_s=0.005)) as talk:
        talk.session.create_response(ReplyOverrides())
        talk.session.create_response(ASIDE)
        await talk.until(events.ReplyText, lambda text: not began(talk, text.response_id).in_conversation)
        aside = next(event.response_id for event in talk.all(events.ReplyBegan) if not event.in_conversation)
        talk.session.cancel_response(aside)
        done = await talk.until(events.ReplyDone)
        assert (done.response_id, done.cancelled) == (aside, CancelReason.CLIENT)
        assert done.item.status == "incomplete"
        assert LONG.startswith(done.item.text.strip())
        talk.session.cancel_response()
        done = await talk.until(events.ReplyDone, count=2)
        assert began(talk, done.response_id).in_conversation
        assert not talk.all(events.SessionError)


async def test_a_reply_of_the_conversation_is_cancelled_by_its_id() -> None:
    async with talking(Script(replies=[LONG])) as talk:
        talk.session.create_response(ReplyOverrides())
        first = await talk.until(events.ReplyBegan)
        talk.session.cancel_response("resp_other", "mine")
        error = await talk.until(events.SessionError)
        assert (error.code, error.cause, error.param) == ("response_cancel_not_active", "mine", "response_id")
        talk.session.cancel_response(first.response_id)
        assert (await talk.until(events.ReplyDone)).cancelled is CancelReason.CLIENT


async def test_one_that_fails_says_so_and_leaves_room() -> None:
    script = Script(failures={"llm": StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")})
    async with talking(script) as talk:
        for number in range(MAX_AT_ONCE + 1):
            talk.session.create_response(ASIDE)
            done = await talk.until(events.ReplyDone, count=number + 1)
            assert done.cancelled is CancelReason.FAILED
            assert done.output == ()
        assert {error.code for error in talk.all(events.SessionError)} == {"gone"}
