"""False cut-offs and delays of the end-of-turn decision: `python -m tests.bench.endpointing`.

Complete turns and turns with a pause are spoken by the real text-to-speech engine and heard by the real VAD and STT
stages, once. What they answer is then given to the real turn machine with each endpointing, in silent time, with the
pause made shorter and longer. Constants were chosen on the training half; the table is of the other one.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from rich.console import RenderableType
from rich.text import Text

from client.bench.report import make_console, new_table, titled
from services.orchestrator.endpointing import Eagerness, Endpointing, FixedSilence, SemanticEndpointing
from services.tts.settings import Settings
from tests.bench.endpointing.clips import Kind, Synthesiser, recorded
from tests.bench.endpointing.figures import BUCKETS_MS, Figures, Sample, asked, figures, half, people
from tests.bench.endpointing.fit import fit
from tests.bench.endpointing.hearing import stages
from tests.bench.endpointing.sentences import Half, complete_turns, paused_turns

AT_ONCE = 3
"""Clips that are made, or heard, at a time."""
ENDPOINTINGS: Mapping[str, Endpointing] = {
    **{f"fixed {ms} ms": FixedSilence(ms / 1000) for ms in (200, 300, 500, 700, 1000)},
    **{f"semantic, {each}": SemanticEndpointing(each) for each in (Eagerness.LOW, Eagerness.MEDIUM, Eagerness.HIGH)},
}

ItemT = TypeVar("ItemT")
FoundT = TypeVar("FoundT")


async def listen(halves: Collection[Half]) -> list[Sample]:
    """Makes every clip of some halves, and has the stages hear them."""
    numbered = [
        (number, sentence)
        for number, sentence in enumerate([*complete_turns(), *paused_turns()])
        if sentence.half in halves
    ]
    started = time.monotonic()
    async with Synthesiser(Settings()) as synthesiser:
        made = await _each(numbered, lambda each: synthesiser.clips(each[1], each[0]))
    clips = [clip for each in made for clip in each] + await asyncio.to_thread(recorded)
    spoken = time.monotonic()
    async with stages() as both:
        heard = await _each(clips, both.hear)
    missed = [clip.name for clip, events in zip(clips, heard, strict=True) if not events]
    sys.stderr.write(
        f"{len(clips)} clips spoken in {spoken - started:.0f} s, heard in {time.monotonic() - spoken:.0f} s"
        f"{f'; no speech was noticed in {missed}' if missed else ''}\n"
    )
    return [(clip, events) for clip, events in zip(clips, heard, strict=True) if events]


async def _each(items: Sequence[ItemT], work: Callable[[ItemT], Awaitable[FoundT]]) -> list[FoundT]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: ItemT) -> FoundT:
        async with room:
            return await work(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


def tables(samples: Sequence[Sample], halves: Sequence[Half]) -> tuple[list[RenderableType], dict[str, object]]:
    """What to show, and the same as JSON."""
    chosen = half(samples, *halves)
    bench, voices = half(samples, Half.BENCH), [each for each in samples if each[0].kind in (Kind.SPEECH, Kind.LINES)]
    lengths = [f"{low / 1000:g}–{high / 1000:g}" for low, high in BUCKETS_MS]
    cuts = new_table("False cut-offs, %", "all", *[f"joined\n{each} s" for each in lengths])
    for each in lengths:
        cuts.add_column(f"cut\n{each} s", justify="right")
    cuts.add_column("within", justify="right")
    delays = new_table(
        "Delay, ms", *(f"{each}\n{name}" for each in ("VAD", "heard") for name in ("mean", "p50", "p90"))
    )
    delays.add_column("≤ 300\nms, %", justify="right")
    others = new_table("", "bench questions\nmean / p50 / p90", "people: pauses\ncut off", "sentences\nmean delay")
    report: dict[str, object] = {}
    for name, endpointing in ENDPOINTINGS.items():
        found, questions, said = figures(chosen, endpointing), asked(bench, endpointing), people(voices, endpointing)
        cuts.add_row(name, *_percents(found))
        delays.add_row(
            name,
            *(f"{value:.0f}" for each in (found.delay, found.audible) for value in (each.mean, each.p50, each.p90)),
            f"{found.soon:.0%}".rstrip("%"),
        )
        waited = [delay for delay in said.delays if delay is not None]
        others.add_row(
            name,
            " / ".join(f"{value:.0f}" for value in (questions[0].mean, questions[0].p50, questions[0].p90)),
            f"{said.cut_offs} of {said.pauses}",
            f"{sum(waited) / len(waited):.0f} ({len(waited)} of {len(said.delays)})" if waited else "—",
        )
        report[name] = {
            **asdict(found),
            "bench": {"delay": asdict(questions[0]), "audible": asdict(questions[1])},
            "people": asdict(said),
        }
    kinds = [clip.kind for clip, _ in chosen]
    paused = f"{kinds.count(Kind.JOINED)} pauses between halves spoken apart (joined) and in whole sentences (cut)"
    return [
        titled(
            f"Pauses for the end: {paused}",
            cuts,
            "Within: pauses that the voices make by themselves, of some 100 to 300 ms.",
        ),
        titled(
            f"From the end of {kinds.count(Kind.COMPLETE)} complete turns to the decision",
            delays,
            "VAD: after the last speech that it heard; heard: after the last sample above -45 dBFS.",
        ),
        titled(
            "The same for the questions of `voxfleet bench`, and for recorded people",
            others,
            "Sentences: those after which the turn was taken before the person went on.",
        ),
    ], report


def _percents(found: Figures) -> list[str]:
    shares = (found.cut_offs, *found.joined.by_length, *found.cut.by_length, found.within)
    return [f"{100 * share:.0f}" for share in shares]


def main() -> None:
    """Prints the tables; `--json FILE` saves the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.endpointing", description=__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true", help="show the training half instead of the other one")
    parser.add_argument("--fit", action="store_true", help="print the constants that the training half gives")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the figures")
    options = parser.parse_args()
    shown = (Half.TRAIN,) if options.train else (Half.TEST, Half.BENCH)
    samples = asyncio.run(listen({*shown, Half.BENCH, *((Half.TRAIN,) if options.fit else ())}))
    console = make_console()
    parts, report = tables(samples, shown)
    for part in parts:
        console.print(part)
        console.print()
    if options.fit:
        weights = fit(half(samples, Half.TRAIN))
        console.print(Text("\n".join(f"{name:>12} {weight:6.2f}" for name, weight in weights.items())))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
