"""The simulated fleet: its stages on their processors, and what all sessions share."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from client.planning.catalog import Machine, Service, Speaking
from client.planning.figures import FigureError
from client.planning.sharing import Processor, Stage, StageSpeed, Timeline
from services.stt.pace import PartialPace

STAGES = ("vad", "stt", "llm", "tts")
CARD = "card"


@dataclass(frozen=True, slots=True)
class Placement:
    """Which card each stage that needs one is on, by its number from 0; `cards` is how many there are."""

    cards: int
    of: Mapping[str, int]

    @property
    def text(self) -> str:
        """For people: `stt+llm | tts`."""
        return " | ".join(
            "+".join(stage for stage in STAGES if self.of.get(stage) == card) for card in range(self.cards)
        )


ONE_CARD = Placement(1, {"stt": 0, "llm": 0, "tts": 0})


class Fleet:
    """The stages of one fleet. `sessions` talk to it at once, which takes some of the host.

    `slower` is a factor on all work on cards.
    """

    def __init__(
        self,
        timeline: Timeline,
        machine: Machine,
        voice: str,
        placement: Placement,
        sessions: int,
        *,
        slower: float = 1.0,
    ) -> None:
        self.timeline = timeline
        self._slower = slower
        self.machine = machine
        self.tts = voice_of(machine, voice)
        self.pace = PartialPace()
        self.processors: dict[str, Processor] = {}
        self._warm: OrderedDict[int, None] = OrderedDict()
        for name, capacity in machine.capacity.items():
            spare = capacity.value
            if name == machine.host:
                # What is left of a host that is full is slow, not nothing: sessions fall behind, and show it.
                spare = max(0.05 * spare, spare - machine.session_demand.value * sessions)
            for each in (f"{CARD} {card}" for card in range(placement.cards)) if name == CARD else (name,):
                self.processors[each] = Processor(timeline, spare)
        self.stages: dict[str, Stage] = {
            name: self._place(name, service, placement) for name, service in self.services.items()
        }

    @property
    def services(self) -> Mapping[str, Service]:
        """The figures of each stage, by its name."""
        return {"vad": self.machine.vad, "stt": self.machine.stt, "llm": self.machine.llm, "tts": self.tts}

    def card_time(self, stage: str, seconds: float) -> float:
        """What work of a stage takes where cards are slower than the data say."""
        return seconds * self._slower if self.services[stage].processor == CARD else seconds

    def has_room(self, stage: str, limit: float) -> bool:
        """Whether less than `limit` of the stage is in use, as the orchestrator asks before it prepares anything."""
        # Prefills are no load: answers come before them.
        jobs = self.stages[stage].urgent if stage == "llm" else self.stages[stage].jobs
        return jobs < limit * self.services[stage].stream_limit.value

    def is_warm(self, session: int) -> bool:
        """Whether the language model still has the session's prompt; it has it from now on."""
        warm = session in self._warm
        self._warm[session] = None
        self._warm.move_to_end(session)
        if len(self._warm) > self.machine.llm.warm_prompts.value:
            self._warm.popitem(last=False)
        return warm

    def _place(self, name: str, service: Service, placement: Placement) -> Stage:
        processor = f"{CARD} {placement.of[name]}" if service.processor == CARD else service.processor
        return self.processors[processor].add(
            name,
            StageSpeed(int(service.slots.value), cache(service.slowdown.at), cache(service.demand.at), service.yields),
        )


def voice_of(machine: Machine, voice: str) -> Speaking:
    """The figures of a voice engine. Raises FigureError."""
    if voice not in machine.voices:
        raise FigureError(f"tts: expected one of {', '.join(machine.voices)} on {machine.name}, got {voice!r}")
    return machine.voices[voice]


def memory_gb(machine: Machine, voice: str) -> Mapping[str, float]:
    """What each stage holds on a card; empty for a machine without one."""
    services: Mapping[str, Service] = {"stt": machine.stt, "llm": machine.llm, "tts": voice_of(machine, voice)}
    return {name: each.memory_gb.value for name, each in services.items() if each.processor == CARD}
