from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.planning import catalog
from client.planning.catalog import Talk
from client.planning.fleet import Placement
from client.planning.session import BLOCK_S
from client.planning.simulation import Scenario, first_to_saturate, placements, simulate
from tests.client.planning.quiet import always, figure, plain_talk, quiet_machine


def alone(talk: Talk | None = None, **changes: object) -> Scenario:
    """One session on the quiet CPU machine."""
    scenario = Scenario(
        machine=quiet_machine(), talk=talk or plain_talk(), voice="hibari", sessions=1, seconds=60, seed=1
    )
    return replace(scenario, **changes)  # type: ignore[arg-type]


def test_a_turn_takes_what_its_steps_take_together() -> None:
    outcome = simulate(alone())
    # 40 ms after the last sample the recogniser notices; then 75, 5 s of context at 9, and 10 tokens at 6.
    text = 40 + 75 + 45 + 60
    # Five words were prefilled at the least; the rest of ten, 5 of the template, then 6 tokens at 30.
    first_clause = text + 15 + 6 * 30
    audio = 12 + 1000 * 0.007 * 6 / 2.8
    fastest, slowest = first_clause + 5 * 16.5 + audio + 30, first_clause + 10 * 16.5 + audio + 30
    assert outcome.turns >= 5
    assert all(fastest <= latency <= slowest + BLOCK_S * 1000 for latency in outcome.latencies_ms)
    assert outcome.drafts_kept == 1
    assert outcome.doubtful_share == outcome.gap_share == outcome.failed == outcome.cut_offs == 0


def test_a_fast_machine_waits_for_the_endpointing_only() -> None:
    outcome = simulate(alone(machine=quiet_machine("h100"), voice="kokoro"))
    # 75 ms of hangover, 250 ms of silence, counted in blocks of 20 ms, and 30 ms to the loudspeaker.
    assert all(355 <= latency <= 355 + 1.5 * BLOCK_S * 1000 for latency in outcome.latencies_ms)


def test_without_drafts_a_reply_is_begun_after_the_silence() -> None:
    with_drafts, without = simulate(alone()), simulate(alone(drafts=False))
    assert without.drafts_kept == 0
    assert without.p(50) > with_drafts.p(50)


def test_the_network_comes_on_top() -> None:
    near, far = simulate(alone()), simulate(alone(network_s=0.1))
    assert far.p(50) == pytest.approx(near.p(50) + 100)


def test_a_sentence_that_does_not_sound_complete_is_waited_for() -> None:
    outcome = simulate(alone(plain_talk(sentences=("I would like to have two of the",))))
    assert outcome.doubtful_share == 1
    assert outcome.p(50) > 2000


def test_a_pause_inside_a_turn_does_not_end_it_and_wastes_no_turn() -> None:
    talk = plain_talk(
        pause_share=figure(1), pause_s=always(0.3), sentences=("Could you tell me where the nearest station is?",)
    )
    outcome = simulate(alone(talk))
    assert outcome.turns > 3
    assert outcome.failed == 0


def test_who_interrupts_takes_the_floor_and_is_answered() -> None:
    outcome = simulate(alone(plain_talk(interrupt_share=figure(1)), seconds=120))
    assert outcome.interruptions > 5
    assert outcome.turns > outcome.interruptions - 2
    assert outcome.failed == 0


def test_a_listeners_sound_does_not_take_the_floor() -> None:
    quiet, heard = (simulate(alone(plain_talk(backchannel_share=figure(share)), seconds=120)) for share in (0.0, 1.0))
    assert heard.interruptions == heard.failed == 0
    assert heard.usage["stt"].submitted > quiet.usage["stt"].submitted
    assert heard.turns >= quiet.turns - 4


def test_a_voice_slower_than_speech_leaves_gaps() -> None:
    machine = quiet_machine()
    slow = replace(machine.voices["hibari"], rtf=figure(1.5))
    outcome = simulate(alone(machine=replace(machine, voices={"hibari": slow})))
    assert outcome.gap_share == 1


def test_the_stage_that_makes_people_wait_is_named() -> None:
    outcome = simulate(alone(sessions=4))
    assert first_to_saturate(outcome) == "llm"


def test_sessions_whose_prompt_was_forgotten_read_it_again() -> None:
    machine = quiet_machine()
    forgetful = replace(machine, llm=replace(machine.llm, warm_prompts=figure(1)))
    both = [simulate(alone(machine=each, sessions=2)) for each in (machine, forgetful)]
    assert both[1].loads["llm"].busy > 1.5 * both[0].loads["llm"].busy


@given(seed=st.integers(0, 1000), sessions=st.integers(1, 12), voice=st.sampled_from(["fish", "kokoro"]))
@settings(max_examples=5, deadline=None)
def test_the_same_seed_gives_the_same_outcome_and_jobs_are_conserved(seed: int, sessions: int, voice: str) -> None:
    scenario = Scenario(
        machine=catalog.machine("h100"),
        talk=catalog.talk("conversation"),
        voice=voice,
        sessions=sessions,
        seconds=40,
        seed=seed,
    )
    first, second = simulate(scenario), simulate(scenario)
    assert first == second
    total_s = scenario.seconds + 20
    for name, usage in first.usage.items():
        left = usage.submitted - usage.done - usage.cancelled
        assert 0 <= left <= usage.most
        # Little's law, but for what is still inside at the end.
        assert usage.jobs_s >= usage.sojourn_s - 1e-6
        assert usage.jobs_s - usage.sojourn_s <= left * total_s + 1e-6
        assert 0 <= first.loads[name].busy <= 1 + 1e-9
    assert all(0 <= share <= 1 + 1e-9 for share in first.processors.values())
    assert first.failed == 0


def test_another_seed_gives_another_outcome() -> None:
    scenario = alone(catalog.talk("conversation"), seconds=120)
    assert simulate(scenario).latencies_ms != simulate(replace(scenario, seed=2)).latencies_ms


def test_a_stage_with_a_card_of_its_own_is_not_slowed_down_by_the_others() -> None:
    scenario = Scenario(
        machine=catalog.machine("h100"), talk=catalog.talk("conversation"), voice="fish", sessions=24, seconds=60
    )
    shared = simulate(scenario)
    apart = simulate(replace(scenario, placement=Placement(3, {"stt": 0, "llm": 1, "tts": 2})))
    assert apart.p(95, plain=True) < shared.p(95, plain=True)
    assert set(apart.processors) == {"card 0", "card 1", "card 2", "host"}


def test_cards_are_alike_so_each_split_comes_once() -> None:
    assert [each.text for each in placements(1)] == ["stt+llm+tts"]
    assert {each.text for each in placements(2)} == {"stt+llm | tts", "stt+tts | llm", "stt | llm+tts"}
    assert [each.text for each in placements(3)] == ["stt | llm | tts"]
