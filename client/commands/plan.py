"""`voxfleet plan`: how many conversations a machine carries, from a simulation of the fleet."""

import json
from pathlib import Path
from typing import Annotated

import typer

from client.bench.report import make_console
from client.planning import catalog
from client.planning.capacity import Promise, Since
from client.planning.figures import FigureError
from client.planning.fleet import voice_of
from client.planning.picture import picture as draw
from client.planning.plan import has_card, make_plan
from client.planning.report import plan_json, tables
from client.planning.simulation import Scenario
from client.planning.validation import validate

MAX_SESSIONS = 1000

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    gpu: Annotated[str, typer.Option(metavar="NAME", help=f"Machine: {' or '.join(catalog.MACHINES)}.")] = "h100",
    tts: Annotated[str | None, typer.Option(metavar="NAME", help="Voice engine; otherwise all of the machine.")] = None,
    slo_ms: Annotated[float, typer.Option(min=1, help="Longest voice to voice at the 95th percentile.")] = 500,
    since: Annotated[
        Since,
        typer.Option(help="Counted from the last sample said (speech: turns whose end is plain), or the decision."),
    ] = Since.SPEECH,
    sessions: Annotated[str, typer.Option(metavar="N,N", help="Sessions of the curve.")] = "1,4,8,16,24,32,48,64",
    cards: Annotated[int, typer.Option(min=1, max=3, help="Cards to split the fleet over.")] = 1,
    talk: Annotated[str, typer.Option(metavar="NAME", help=f"How people talk: {' or '.join(catalog.TALKS)}.")] = (
        "conversation"
    ),
    network_ms: Annotated[float, typer.Option(min=0, help="Network, both ways together.")] = 0,
    minutes: Annotated[float, typer.Option(min=0.1, help="Simulated for each number of sessions.")] = 3,
    card_hour: Annotated[float | None, typer.Option(min=0, metavar="USD", help="Price of a card for an hour.")] = None,
    hosted_minute: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="Price of a minute at a hosted API.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plan.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the source of every figure.")] = False,
    picture: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the curves.")] = None,
) -> None:
    """How many sessions a machine carries, which stage gives way first, and what a minute costs."""
    if picture is not None and picture.suffix != ".svg":
        raise typer.BadParameter(f"--picture: expected a name that ends in .svg, got {picture}")
    counts = _counts(sessions)
    try:
        machine, prices = catalog.machine(gpu), catalog.prices()
        voices = list(machine.voices) if tts is None else [tts]
        scenario = Scenario(
            machine=machine,
            talk=catalog.talk(talk),
            voice=voices[0],
            sessions=1,
            seconds=minutes * 60,
            network_s=network_ms / 1000,
            seed=seed,
        )
        for voice in voices:
            voice_of(machine, voice)
    except FigureError as error:
        raise typer.BadParameter(f"--{error}") from error
    if cards > 1 and not has_card(machine):
        raise typer.BadParameter(f"--cards: expected 1 on a machine without a card, got {cards}")
    found = make_plan(
        scenario,
        Promise(slo_ms, since),
        prices,
        voices=voices,
        counts=counts,
        cards=cards,
        card_hour=card_hour,
        hosted=hosted_minute,
    )
    comparisons = validate(seed)
    if as_json:
        print(json.dumps(plan_json(found, prices, comparisons), indent=1, ensure_ascii=False))
    else:
        console = make_console()
        for part in tables(found, comparisons):
            console.print(part)
            console.print()
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(draw(found, comparisons), encoding="utf-8")


def _counts(text: str) -> list[int]:
    try:
        counts = sorted({int(each) for each in text.split(",")})
    except ValueError as error:
        raise typer.BadParameter(f"--sessions: expected numbers like 1,8,16, got {text!r}") from error
    if counts[0] < 1 or counts[-1] > MAX_SESSIONS:
        raise typer.BadParameter(f"--sessions: expected numbers from 1 to {MAX_SESSIONS}, got {text!r}")
    return counts
