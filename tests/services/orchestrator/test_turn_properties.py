"""The turn machine under every sequence of events: by Hypothesis over long ones, and exhaustively over short ones."""

import copy
from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Code, StageError
from services.orchestrator.endpointing import FixedSilence, SemanticEndpointing
from services.orchestrator.turn import Ear, Mouth, TurnMachine
from services.orchestrator.turn_config import TurnConfig
from services.orchestrator.turn_events import (
    AudioAdvanced,
    CancelResponse,
    Clear,
    Commit,
    CreateResponse,
    DraftReady,
    Event,
    Hypothesis,
    ReplyEnded,
    ReplyFailed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TranscriptionFailed,
    Wake,
)
from tests.services.orchestrator.turn_invariants import Ledger, settle, step

FAULT = StageError(Code.UNAVAILABLE, "UNAVAILABLE", "gone")
TEXTS = ("", "mm-hm", "what is the capital of France")


@dataclass(slots=True)
class World:
    """A machine, its ledger, and where time and audio are."""

    machine: TurnMachine
    ledger: Ledger
    now: float = 0.0
    offset: int = 0
    flush: int = 0

    def do(self, kind: str, seconds: float = 0.1) -> None:
        """Lets `seconds` pass, then something happen."""
        self.now += seconds
        self.offset += int(seconds * 16_000)
        for action in step(self.machine, self.ledger, self._event(kind), self.now):
            self.flush = getattr(action, "flush", self.flush)

    def _event(self, kind: str) -> Event:
        utterance = self.ledger.utterance or 0
        reply = self.ledger.reply or 0
        match kind.split(":"):
            case ["start"]:
                return SpeechStarted(self.offset)
            case ["stop"]:
                return SpeechStopped(max(0, self.offset - 3_200), self.offset, 0.5)
            case ["audio"]:
                return AudioAdvanced(self.offset)
            case ["wake"]:
                return Wake()
            case ["text", index]:
                return Transcript(utterance, self.flush, TEXTS[int(index)], "en")
            case ["busy", index]:
                return Transcript(utterance, self.flush, TEXTS[int(index)], "en", may_draft=False)
            case ["late"]:
                return Transcript(utterance, self.flush - 1, "a late answer", "en")
            case ["partial", index]:
                return Hypothesis(utterance, TEXTS[int(index)])
            case ["lost"]:
                return TranscriptionFailed(utterance)
            case ["ready"]:
                return DraftReady(reply)
            case ["ended"]:
                return ReplyEnded(reply)
            case ["failed"]:
                return ReplyFailed(reply, FAULT)
            case ["commit"]:
                return Commit(self.offset)
            case ["clear"]:
                return Clear(self.offset)
            case ["create"]:
                return CreateResponse()
            case ["cancel"]:
                return CancelResponse()
        raise AssertionError(kind)


KINDS = (
    *("start", "stop", "audio", "wake", "text:0", "text:1", "text:2", "busy:2", "late", "partial:1", "partial:2"),
    *("lost", "ready", "ended", "failed", "commit", "clear", "create", "cancel"),
)
configs = st.builds(
    TurnConfig,
    detection=st.booleans(),
    endpointing=st.sampled_from((FixedSilence(), SemanticEndpointing())),
    create_response=st.booleans(),
    interrupt_response=st.booleans(),
    drafts=st.booleans(),
    idle_timeout_s=st.none() | st.just(5.0),
)


@given(configs, st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from((0.0, 0.02, 0.3, 2.0))), max_size=60))
def test_no_sequence_of_events_breaks_an_invariant(config: TurnConfig, happenings: list[tuple[str, float]]) -> None:
    world = World(TurnMachine(config), Ledger())
    for kind, seconds in happenings:
        world.do(kind, seconds)
    config_without_idle = TurnConfig(detection=config.detection)
    world.machine.config = config_without_idle  # an idle assistant would speak on its own for ever
    if not config.detection and world.machine.ear is Ear.SPEECH:
        world.do("commit")  # push-to-talk ends when the button is released
    settle(world.machine, world.ledger, world.now, world.offset)


@given(configs, configs, st.lists(st.sampled_from(KINDS), max_size=20), st.lists(st.sampled_from(KINDS), max_size=20))
def test_a_new_configuration_leaves_no_stream_behind(
    first: TurnConfig, second: TurnConfig, before: list[str], after: list[str]
) -> None:
    world = World(TurnMachine(first), Ledger())
    for kind in before:
        world.do(kind)
    for action in world.machine.reconfigure(second):
        world.ledger.apply(action)
    world.ledger.check(world.machine)
    for kind in after:
        world.do(kind)


def fingerprint(world: World) -> tuple[object, ...]:
    """All that decides what the machine does next, times taken relative to now."""
    machine = world.machine
    utterance = machine._utterance
    return (
        machine.ear,
        machine.mouth,
        utterance.text,
        utterance.announced,
        machine._reply_wanted,
        machine._draft_ready,
        tuple(type(event) for event in machine._deferred[:3]),
        None if machine.wake_at is None else machine.wake_at <= world.now,
        machine.ear is Ear.PAUSE and world.offset >= utterance.deadline_offset,
        world.ledger.committed[-1:] == [world.ledger.reply_text],
        world.ledger.skipped is not None and world.ledger.skipped == world.ledger.utterance,
    )


@pytest.mark.parametrize("drafts", [True, False])
@pytest.mark.parametrize("interrupt", [True, False])
@pytest.mark.parametrize("detection", [True, False])
def test_every_short_sequence_keeps_the_invariants_and_frees_the_floor(
    drafts: bool, interrupt: bool, detection: bool
) -> None:
    config = TurnConfig(
        endpointing=SemanticEndpointing(), drafts=drafts, interrupt_response=interrupt, detection=detection
    )
    seen: set[tuple[object, ...]] = set()
    states: set[tuple[Ear, Mouth]] = set()
    skipped = False
    frontier = deque([(World(TurnMachine(config), Ledger()), 0)])
    while frontier:
        world, depth = frontier.popleft()
        mark = fingerprint(world)
        if mark in seen:
            continue
        seen.add(mark)
        states.add((world.machine.ear, world.machine.mouth))
        skipped = skipped or world.ledger.skipped is not None
        if detection:
            ahead = copy.deepcopy(world)
            settle(ahead.machine, ahead.ledger, ahead.now, ahead.offset)
        if depth < 12:
            for kind in KINDS:
                for seconds in (0.05, 0.6):
                    ahead = copy.deepcopy(world)
                    ahead.do(kind, seconds)
                    frontier.append((ahead, depth + 1))
    # The search is worth something only if it went everywhere.
    assert (Ear.QUIET, Mouth.SPEAKING) in states
    assert ((Ear.PAUSE, Mouth.DRAFTING) in states) == (drafts and detection)
    assert skipped == (drafts and detection)
    assert ((Ear.SPEECH, Mouth.PAUSED) in states) == (interrupt and detection)
