"""One clip's events through the real turn machine, with any endpointing and any length of pause. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from chassis.audio import SAMPLE_RATE, ms_to_samples
from services.orchestrator import turn_events as turns
from services.orchestrator.endpointing import Endpointing
from services.orchestrator.turn import TurnMachine
from services.orchestrator.turn_config import TurnConfig
from tests.bench.endpointing.hearing import Heard, Started, Stopped

BLOCK = ms_to_samples(20)
"""Samples that clients send at once; the resolution of every delay."""
TRANSCRIPT_S = 0.13
"""Flush to text; what the default model takes on the machine of docs/performance.md."""
LONGEST = 10 * SAMPLE_RATE
"""Silence after the last stop, in which every turn must end."""


def stretched(heard: Heard, resumed: int, by: int) -> Heard:
    """The events of a clip whose pause, which ends at sample `resumed`, is `by` samples longer than it was made."""
    return tuple(
        replace(event, offset=event.offset + by, decided=event.decided + by) if event.decided > resumed else event
        for event in heard
    )


def replay(heard: Heard, endpointing: Endpointing, transcript_s: float = TRANSCRIPT_S) -> list[int | None]:
    """For each stop in `heard`, the sample at which the turn was taken; None where speech went on before that."""
    machine = TurnMachine(TurnConfig(endpointing=endpointing))
    waiting = list(heard)
    texts: list[tuple[float, turns.Transcript]] = []
    stops: list[Stopped] = []
    taken: list[int | None] = []

    def handle(event: turns.Event, offset: int) -> None:
        now = offset / SAMPLE_RATE
        for action in machine.handle(event, now):
            match action:
                case turns.EndTurn():
                    taken[-1] = offset
                case turns.FlushUtterance(utterance, flush):
                    text = turns.Transcript(utterance, flush, stops[-1].text, stops[-1].language)
                    texts.append((now + transcript_s, text))

    first = heard[0].offset // BLOCK * BLOCK
    for offset in range(first, heard[-1].decided + LONGEST, BLOCK):
        while texts and texts[0][0] <= offset / SAMPLE_RATE:
            handle(texts.pop(0)[1], offset)
        handle(turns.AudioAdvanced(offset), offset)
        # The VAD answers after the machine has been told of the audio.
        while waiting and waiting[0].decided <= offset:
            event = waiting.pop(0)
            if isinstance(event, Stopped):
                stops.append(event)
                taken.append(None)
                handle(turns.SpeechStopped(event.offset, event.decided, event.probability), offset)
            else:
                handle(turns.SpeechStarted(event.offset), offset)
        if not waiting and _is_over(heard, taken):
            break
    return taken


def _is_over(heard: Heard, taken: Sequence[int | None]) -> bool:
    return isinstance(heard[-1], Started) or taken[-1] is not None
