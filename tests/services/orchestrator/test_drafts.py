"""Drafts over scripted stages: begun where there is room for them, and counted."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from chassis.errors import Code, StageError
from chassis.metrics import DRAFT_AUDIO_WASTED, DRAFT_TOKENS_WASTED, DRAFTS
from services.orchestrator import events
from services.orchestrator.session_config import ReplyOverrides
from tests.services.orchestrator.conftest import Talk, talking
from tests.support.metrics import value_of
from tests.support.scripted import Script

SHORT: dict[str, Any] = {"turn_detection": "server_vad", "silence_ms": 300}
FULL = StageError.exhausted("SLOTS_EXHAUSTED", "all slots are busy")


@dataclass(frozen=True, slots=True)
class Counts:
    """What has been counted of drafts."""

    kept: float
    discarded: float
    skipped: float

    @classmethod
    def now(cls) -> "Counts":
        return cls(*(value_of(DRAFTS, "_total", outcome=name) for name in ("kept", "discarded", "skipped")))

    def since(self, before: "Counts") -> tuple[float, float, float]:
        return self.kept - before.kept, self.discarded - before.discarded, self.skipped - before.skipped


async def one_turn(talk: Talk, number: int = 1) -> bool:
    """A turn of 300 ms of silence; whether its reply was a draft."""
    await talk.say(0.3, then_silence=0.45)
    measured = await talk.until(events.TurnMeasured, count=number)
    await talk.until(events.ReplyDone, count=number)
    return measured.draft


async def test_where_there_is_room_a_turn_is_drafted() -> None:
    before = Counts.now()
    script = Script(ms_per_character=10, loads={"llm": "2/4", "tts": "1/64"})
    async with talking(script, **SHORT) as talk:
        assert await one_turn(talk)
        assert await one_turn(talk, 2)
    assert Counts.now().since(before) == (2, 0, 0)


async def test_near_the_language_models_limit_the_reply_begins_when_the_turn_is_over() -> None:
    before = Counts.now()
    script = Script(ms_per_character=10, partials=False, loads={"llm": "3/4"})
    async with talking(script, **SHORT) as talk:
        await talk.say(0.3, then_silence=0.2)
        assert script.asked == []
        assert Counts.now().since(before) == (0, 0, 1)
        await talk.say(0.0, then_silence=0.3)
        assert not (await talk.until(events.TurnMeasured)).draft
        await talk.until(events.ReplyDone)
    assert script.asked == ["what time is it"]
    assert Counts.now().since(before) == (0, 0, 1)


async def test_near_its_limit_the_language_model_is_not_warmed_and_still_answers() -> None:
    script = Script(ms_per_character=10, partials=False, loads={"llm": "3/4"})
    async with talking(script, **SHORT) as talk:
        await one_turn(talk)
        assert script.prefills == [""]  # its load was not known yet
        await one_turn(talk, 2)
    assert script.prefills == [""]
    assert len(script.asked) == 2


async def test_near_the_voices_limit_nothing_is_drafted_but_the_language_model_is_warmed() -> None:
    before = Counts.now()
    script = Script(ms_per_character=10, partials=False, loads={"tts": "60/64"})
    async with talking(script, **SHORT) as talk:
        assert await one_turn(talk)  # its load was not known yet
        assert not await one_turn(talk, 2)
    assert script.prefills == ["", ""]
    assert Counts.now().since(before) == (1, 0, 1)


async def test_a_reply_that_is_only_written_does_not_need_the_voice() -> None:
    before = Counts.now()
    script = Script(ms_per_character=10, loads={"tts": "64/64"})
    async with talking(script, **SHORT) as talk:
        await one_turn(talk)
        talk.session.configure(replace(talk.session.config, modality="text"))
        await talk.say(0.3, then_silence=0.45)
        await talk.until(events.ReplyDone, count=2)
    assert Counts.now().since(before) == (2, 0, 0)


async def test_a_stage_that_refuses_is_full() -> None:
    script = Script(ms_per_character=10, partials=False, failures={"llm": FULL})
    async with talking(script, **SHORT) as talk:
        talk.session.create_response(ReplyOverrides())
        assert (await talk.until(events.ReplyDone)).error is not None
        script.failures.clear()
        before = Counts.now()
        await talk.say(0.3, then_silence=0.45)
        assert not (await talk.until(events.TurnMeasured)).draft
        assert Counts.now().since(before) == (0, 0, 1)
    assert script.prefills == []


async def test_a_stage_that_cannot_be_reached_is_not_full() -> None:
    script = Script(ms_per_character=10, failures={"llm": StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")})
    async with talking(script, **SHORT) as talk:
        talk.session.create_response(ReplyOverrides())
        assert (await talk.until(events.ReplyDone)).error is not None
        script.failures.clear()
        await talk.say(0.3, then_silence=0.45)
        assert (await talk.until(events.TurnMeasured)).draft


@pytest.mark.parametrize(
    ("limit", "loads", "drafted"),
    [(0.0, {}, False), (1.0, {"llm": "9/4", "tts": "64/64"}, True), (0.75, {"llm": "many"}, True)],
)
async def test_the_limit_is_a_setting(limit: float, loads: dict[str, str], drafted: bool) -> None:
    script = Script(ms_per_character=10, partials=False, loads=loads)
    async with talking(script, **SHORT, draft_load_limit=limit) as talk:
        assert await one_turn(talk) is drafted
    assert script.prefills == ([""] if drafted else [])


async def test_what_a_discarded_draft_had_cost_is_counted() -> None:
    # 4 tokens; 13 characters of 10 ms.
    script = Script(ms_per_character=10, texts=["what is"], replies=["Is it? Is it?", "It is noon."])
    before = Counts.now()
    tokens, seconds = value_of(DRAFT_TOKENS_WASTED, "_total"), value_of(DRAFT_AUDIO_WASTED, "_total")
    async with talking(script, **SHORT) as talk:
        await talk.say(0.3, then_silence=0.2)
        await talk.say(0.3, then_silence=0.45)
        assert (await talk.until(events.ReplyDone)).item.text == "It is noon."
    assert Counts.now().since(before) == (1, 1, 0)
    assert value_of(DRAFT_TOKENS_WASTED, "_total") - tokens == 4
    assert value_of(DRAFT_AUDIO_WASTED, "_total") - seconds == pytest.approx(0.13)


async def test_of_a_draft_that_was_stopped_in_the_middle_the_deltas_received_are_counted() -> None:
    script = Script(
        ms_per_character=10, texts=["what is"], replies=["Is it? Is it?", "It is noon."], token_delay_s=60.0
    )
    tokens = value_of(DRAFT_TOKENS_WASTED, "_total")
    async with talking(script, **SHORT) as talk:
        await talk.say(0.3, then_silence=0.2)
        await talk.say(0.3)
    assert value_of(DRAFT_TOKENS_WASTED, "_total") - tokens == 1
