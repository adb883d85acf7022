"""What the history holds of a reply, by what the client says of its loudspeaker. Stages scripted, 20 ms a character."""

import asyncio

from services.orchestrator import events
from services.orchestrator.session_config import ReplyOverrides
from services.orchestrator.turn_events import CancelReason
from tests.services.orchestrator.conftest import Talk, talking
from tests.support.scripted import TTS_RATE, Script, speech

LONG = " ".join(f"w{number:03}" for number in range(100))  # 5 characters, 100 ms, a word
SHORT = "one two three four five."


def spoken(text: str) -> bytes:
    """What the scripted voice makes of it."""
    return speech(0.02, TTS_RATE) * len(text)


async def begin(talk: Talk) -> events.ReplyBegan:
    """Asks for a reply and waits until it is heard."""
    talk.session.create_response(ReplyOverrides())
    began = await talk.until(events.ReplyBegan)
    await talk.until(events.ReplyAudio)
    return began


def sent(talk: Talk) -> bytes:
    return b"".join(event.pcm for event in talk.all(events.ReplyAudio))


async def test_a_loudspeaker_that_is_behind_is_cut_where_it_is() -> None:
    async with talking(Script(texts=["no wait stop"], replies=[LONG])) as talk:
        began = await begin(talk)
        await asyncio.sleep(1.0)
        saying = asyncio.create_task(talk.say(0.8, then_silence=0.1))
        await talk.until(events.ReplyPaused)
        talk.session.report_playout(began.item_id, 450, playing=False)
        done = await talk.until(events.ReplyDone)
        await saying
    assert done.cancelled is CancelReason.INTERRUPTED
    # The fifth word was half heard.
    assert done.item.text == "w000 w001 w002 w003 w004"
    assert len(sent(talk)) > 2 * TTS_RATE  # more than a second of it was on its way


async def test_reports_on_other_replies_say_nothing_and_are_no_errors() -> None:
    async with talking(Script(replies=[SHORT])) as talk:
        talk.session.report_playout("item_unknown", 10, playing=True)
        began = await begin(talk)
        talk.session.report_playout("item_unknown", 10, playing=False)
        done = await talk.until(events.ReplyDone)
        talk.session.report_playout(began.item_id, 10, playing=False)
        assert done.item.text == SHORT
        assert not talk.all(events.SessionError)


async def test_a_truncation_of_the_client_is_exact_after_our_own_cut() -> None:
    async with talking(Script(texts=["no wait stop"], replies=[LONG])) as talk:
        began = await begin(talk)
        await asyncio.sleep(0.6)
        await talk.say(0.8, then_silence=0.1)
        ours = (await talk.until(events.ReplyDone)).item.text
        assert 5 <= len(ours.split()) <= 10
        assert LONG.startswith(ours)
        assert talk.session.truncate(began.item_id, 320).text == "w000 w001 w002"
        assert talk.session.conversation.get(began.item_id).text == "w000 w001 w002"


async def test_a_false_interruption_goes_on_with_the_very_next_sample() -> None:
    script = Script(texts=["mm-hm"], replies=[LONG[:124]])
    async with talking(script) as talk:
        await begin(talk)
        await asyncio.sleep(0.5)
        await talk.say(0.3, then_silence=0.6)
        done = await talk.until(events.ReplyDone)
        kinds = [type(event) for event in talk.told]
    assert done.cancelled is None
    assert done.item.text == LONG[:124]
    assert sent(talk) == spoken(LONG[:124])
    paused, resumed = kinds.index(events.ReplyPaused), kinds.index(events.ReplyResumed)
    assert paused < resumed
    assert events.ReplyAudio not in kinds[paused:resumed]
    assert events.ReplyAudio in kinds[resumed:]


async def test_a_reply_is_not_over_while_a_loudspeaker_is_behind_with_it() -> None:
    async with talking(Script(replies=[SHORT])) as talk:
        began = await begin(talk)
        async with asyncio.timeout(5):
            while len(sent(talk)) < len(spoken(SHORT)):
                talk.session.report_playout(began.item_id, 60, playing=False)
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert not talk.all(events.ReplyDone)
        talk.session.report_playout(began.item_id, 480, playing=True)
        assert (await talk.until(events.ReplyDone)).item.text == SHORT


async def test_a_reply_that_is_cut_off_at_its_end_keeps_what_was_heard() -> None:
    script = Script(texts=["no wait stop"], replies=[SHORT])
    async with talking(script) as talk:
        began = await begin(talk)
        async with asyncio.timeout(5):
            while len(sent(talk)) < len(spoken(SHORT)):
                talk.session.report_playout(began.item_id, 260, playing=False)
                await asyncio.sleep(0.02)
        await talk.say(0.8, then_silence=0.1)
        done = await talk.until(events.ReplyDone)
    assert done.cancelled is CancelReason.INTERRUPTED
    assert done.item.text == "one two three"


async def test_a_written_reply_that_ends_while_somebody_coughs_still_ends() -> None:
    script = Script(texts=["mm-hm"], replies=[SHORT], token_delay_s=0.1)
    async with talking(script) as talk:
        talk.session.create_response(ReplyOverrides(modality="text"))
        await talk.until(events.ReplyText)
        await talk.say(0.6, then_silence=0.3)
        done = await talk.until(events.ReplyDone)
        kinds = [type(event) for event in talk.told]
    assert done.item.text == SHORT
    # The text was complete while the reply was paused.
    assert kinds.index(events.ReplyResumed) > max(at for at, kind in enumerate(kinds) if kind is events.ReplyText)
