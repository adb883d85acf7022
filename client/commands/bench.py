"""`voxfleet bench`: whole conversations in real time, interruptions, idle sessions, and a long soak."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.text import Text

from chassis.weights import WeightsError
from client.bench import report
from client.bench.barge_in import INTERRUPTIONS, OPENINGS, BargeInPlan, measure_barge_in
from client.bench.idle import IdleCost, measure_idle
from client.bench.interruptions import Interruption, Listener, match_words, summarize_barge_in
from client.bench.picture import page
from client.bench.questions import QUESTIONS, Question, read_folder, read_texts, speak_all
from client.bench.rounds import Round, Rounds, measure
from client.bench.servers import OWN_FLEET, Server, Variant, only_trouble, parse_variant, plan, running
from client.bench.sessions import Connection, TurnResult
from client.bench.soak import Soak, measure_soak
from client.bench.statistics import Run, merged, summarize
from client.commands.up import pull_missing
from client.errors import RealtimeError
from client.fleet.plan import FleetPlan
from client.fleet.processes import LogLine
from client.fleet.supervisor import FleetError
from client.realtime import DEFAULT_URL, RealtimeClient
from client.sound.hearing import STT_TARGET, transcribe
from client.sound.speech import TTS_TARGET, SpeechError

Fleets: TypeAlias = Sequence[tuple[Variant, FleetPlan]]
"""Fleets to start; none where the server is already up."""

app = typer.Typer(
    help="Measure conversations, interruptions, idle sessions and memory.", no_args_is_help=True, add_completion=False
)

Url = Annotated[
    str | None,
    typer.Option(metavar="WS-URL", help="A server that is already up; otherwise a fleet is started."),
]
NoFleet = Annotated[bool, typer.Option("--no-fleet", help=f"Start no fleet: the same as --url {DEFAULT_URL}.")]
ApiKey = Annotated[str | None, typer.Option(envvar="VOXFLEET_API_KEY", help="Key of the server, if it has one.")]
Tts = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="With --url: the text-to-speech stage that speaks the questions.")
]
Pids = Annotated[
    list[str] | None,
    typer.Option("--pid", metavar="NAME=PID", help="With --url: a process of the server on this machine. Repeatable."),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Save everything as JSON.")]


@app.command()
def turns(
    sessions: Annotated[str, typer.Option(metavar="N,N", help="Sessions side by side, one run for each.")] = "1,2,4",
    turns: Annotated[int, typer.Option(min=1, help="Turns of each session, not counting a warm-up turn.")] = 20,
    url: Url = None,
    no_fleet: NoFleet = False,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VARIABLE=VALUE,…", help="One more fleet with other variables. Repeatable."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Parts of a run; fleets take turns at them. Default 1, with --compare 2.")
    ] = None,
    say: Annotated[Path | None, typer.Option(metavar="FILE", help="Questions, one a line.")] = None,
    wav: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Recorded questions; NAME.txt has the words of NAME.wav.")
    ] = None,
    language: Annotated[str | None, typer.Option(metavar="xx", help="Tell the server the language of speech.")] = None,
    voice: Annotated[str | None, typer.Option(metavar="NAME", help="Voice of the replies.")] = None,
    turn_detection: Annotated[
        str | None, typer.Option(metavar="JSON", help="The session's turn_detection; otherwise the server's own.")
    ] = None,
    stall: Annotated[float, typer.Option(min=0.1, help="Seconds of silence after which a turn has failed.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed asks the same questions at the same times.")] = 1,
    api_key: ApiKey = None,
    tts: Tts = TTS_TARGET,
    pid: Pids = None,
    json_file: JsonFile = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Save distribution and waterfall.")] = None,
) -> None:
    """Spoken conversations in real time, from the last sample said to the first one heard."""
    if say is not None and wav is not None:
        raise typer.BadParameter("--say and --wav are two sets of questions: give one of them")
    if picture is not None and picture.suffix != ".html":
        raise typer.BadParameter(f"--picture: expected a name that ends in .html, got {picture}")
    counts, variants, pids = _counts(sessions), _variants(compare), _pids(pid)
    own = not (url or no_fleet)
    if variants and not own:
        raise typer.BadParameter("--compare starts fleets of its own: leave out --url and --no-fleet")
    how_much = Rounds(counts, turns, rounds or (min(2, turns) if variants else 1), seed)
    if how_much.rounds > turns:
        raise typer.BadParameter(f"--rounds: expected at most as many as --turns ({turns}), got {how_much.rounds}")
    connection = Connection(url or DEFAULT_URL, api_key, language, voice, _object(turn_detection), stall)

    async def work(fleets: Fleets) -> list[Run]:
        async with AsyncExitStack() as stack:
            servers = await _servers(stack, fleets, connection, tts, pids)
            questions = await _questions(say, wav, servers[0].tts_target or tts, language)
            return await measure(servers, connection, questions, how_much, on_round=_show_round, on_turn=_show_turn)

    with _errors():
        fleets = _fleets([Variant(OWN_FLEET, {}), *variants], max(counts)) if own else []
        runs = merged(asyncio.run(work(fleets)))
    summaries = [summarize(run) for run in runs]
    console = report.make_console()
    for part in report.turn_tables(summaries):
        console.print(part)
        console.print()
    settings = {"turns": turns, "rounds": how_much.rounds, "seed": seed, "compare": compare or []}
    _save(json_file, json.dumps(report.turns_json(runs, summaries, settings), indent=1, ensure_ascii=False))
    _save(picture, page(runs, summaries, report.machine()))
    if not any(summary.voice_to_voice for summary in summaries):
        raise typer.Exit(1)


@app.command()
def barge_in(
    interruptions: Annotated[int, typer.Option(min=1, help="Interruptions by each kind of client.")] = 20,
    client: Annotated[
        list[Listener] | None,
        typer.Option(help="What the client does when it is interrupted. Repeatable; otherwise reporting and plain."),
    ] = None,
    delay: Annotated[float, typer.Option(min=0, max=900, help="Delay of the client's loudspeaker, in ms.")] = 0,
    url: Url = None,
    no_fleet: NoFleet = False,
    language: Annotated[str | None, typer.Option(metavar="xx", help="Tell the server the language of speech.")] = None,
    voice: Annotated[str | None, typer.Option(metavar="NAME", help="Voice of the replies.")] = None,
    stall: Annotated[float, typer.Option(min=0.1, help="Seconds after which what is awaited has failed.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed interrupts with the same words at the same times.")] = 1,
    api_key: ApiKey = None,
    tts: Tts = TTS_TARGET,
    stt: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="With --url: the speech-to-text stage that says what was heard.")
    ] = STT_TARGET,
    json_file: JsonFile = None,
) -> None:
    """Long replies interrupted at random times: when it is silent, and whether the history holds what was heard."""
    listeners = client or [Listener.REPORTING, Listener.PLAIN]
    connection = Connection(url or DEFAULT_URL, api_key, language, voice, stall_s=stall)

    async def work(fleets: Fleets) -> list[Interruption]:
        async with AsyncExitStack() as stack:
            (server,) = await _servers(stack, fleets, connection, tts, {})
            spoken = await speak_all([*OPENINGS, *INTERRUPTIONS], target=server.tts_target or tts)
            found = []
            for listener in listeners:
                _say(f"{listener.value}: {interruptions} interruptions")
                found += await measure_barge_in(
                    replace(connection, url=server.url),
                    BargeInPlan(listener, interruptions, delay / 1000, seed),
                    spoken[: len(OPENINGS)],
                    spoken[len(OPENINGS) :],
                    lambda pcm: transcribe(pcm, language=language or "en", target=server.stt_target or stt),
                    on_interruption=_show_interruption,
                )
            return found

    with _errors():
        fleets = [] if url or no_fleet else _fleets([Variant(OWN_FLEET, {})], 1)
        found = asyncio.run(work(fleets))
    summaries = summarize_barge_in(found)
    console = report.make_console()
    for part in report.barge_in_tables(summaries):
        console.print(part)
        console.print()
    every = [asdict(each) | {"words": (words := match_words(each)) and asdict(words)} for each in found]
    result = {"machine": report.machine(), "summaries": [asdict(each) for each in summaries], "interruptions": every}
    _save(json_file, json.dumps(result, indent=1, ensure_ascii=False, default=lambda listener: listener.value))
    if not any(summary.recognised for summary in summaries):
        raise typer.Exit(1)


@app.command()
def idle(
    sessions: Annotated[int, typer.Option(min=1, help="Sessions side by side.")] = 20,
    seconds: Annotated[float, typer.Option(min=0.1, max=100, help="Length of each of the three measurements.")] = 20,
    url: Url = None,
    no_fleet: NoFleet = False,
    api_key: ApiKey = None,
    pid: Pids = None,
    json_file: JsonFile = None,
) -> None:
    """CPU of sessions in which nobody speaks: connected only, and streaming silence."""
    pids = _pids(pid)
    connection = Connection(url or DEFAULT_URL, api_key)

    async def work(fleets: Fleets) -> IdleCost:
        async with AsyncExitStack() as stack:
            (server,) = await _servers(stack, fleets, connection, None, pids)
            return await measure_idle(server, sessions=sessions, seconds=seconds, api_key=api_key, say=_say)

    with _errors():
        fleets = [] if url or no_fleet else _fleets([Variant(OWN_FLEET, {})], sessions)
        cost = asyncio.run(work(fleets))
    report.make_console().print(report.idle_table(cost))
    _save(json_file, json.dumps({"machine": report.machine()} | asdict(cost), indent=1))


@app.command()
def soak(
    turns: Annotated[int, typer.Option(min=1, help="Turns of all sessions together.")] = 200,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions side by side.")] = 4,
    written: Annotated[bool, typer.Option("--written", help="Send questions as text instead of speech.")] = False,
    url: Url = None,
    no_fleet: NoFleet = False,
    api_key: ApiKey = None,
    tts: Tts = TTS_TARGET,
    pid: Pids = None,
    json_file: JsonFile = None,
) -> None:
    """Memory, threads and open files over many turns in sessions that come and go."""
    pids = _pids(pid)
    connection = Connection(url or DEFAULT_URL, api_key)

    async def work(fleets: Fleets) -> Soak:
        async with AsyncExitStack() as stack:
            (server,) = await _servers(stack, fleets, connection, tts, pids)
            questions = [Question(text, text, b"") for text in QUESTIONS]
            if not written:
                questions = await _questions(None, None, server.tts_target or tts, None)
            return await measure_soak(
                server,
                questions,
                turns=turns,
                sessions=sessions,
                written=written,
                api_key=api_key,
                on_sampling=lambda sampling: _say(report.soak_row(sampling)),
            )

    with _errors():
        fleets = [] if url or no_fleet else _fleets([Variant(OWN_FLEET, {})], sessions)
        found = asyncio.run(work(fleets))
    report.make_console().print(report.soak_table(found))
    growth = {name: found.growth_bytes(name) for name in found.samplings[-1].processes}
    _save(json_file, json.dumps({"machine": report.machine(), "growth_bytes": growth} | asdict(found), indent=1))
    if len(found.failures) >= turns:
        raise typer.Exit(1)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (FleetError, WeightsError, RealtimeError, SpeechError, OSError) as error:
        report.make_console(stderr=True).print(Text(f"voxfleet bench: {error}", "red"), soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stopped:
        raise typer.Exit(130) from stopped


def _fleets(variants: Sequence[Variant], sessions: int) -> Fleets:
    """Their plans; weights that are missing are pulled."""
    fleets = [(variant, plan(variant, _room_for(sessions))) for variant in variants]
    pull_missing(list(dict.fromkeys(model for _, each in fleets for model in each.models)))
    return fleets


async def _servers(
    stack: AsyncExitStack, fleets: Fleets, connection: Connection, tts: str | None, pids: Mapping[str, int]
) -> list[Server]:
    """The fleets, started; where there are none, the server of the connection. Raises RealtimeError."""
    if fleets:
        _say("starting " + (f"{len(fleets)} fleets" if len(fleets) > 1 else "a fleet"))
        return await stack.enter_async_context(running(fleets, only_trouble(_trouble)))
    async with RealtimeClient.connect(connection.url, api_key=connection.api_key):
        return [Server(connection.url, connection.url, lambda: pids, tts)]


async def _questions(say: Path | None, wav: Path | None, tts: str, language: str | None) -> list[Question]:
    if wav is not None:
        return await asyncio.to_thread(read_folder, wav)
    texts = await asyncio.to_thread(read_texts, say) if say is not None else QUESTIONS
    questions = await speak_all(texts, target=tts, language=language)
    lengths = [question.seconds for question in questions]
    _say(f"{len(questions)} questions of {min(lengths):.1f} to {max(lengths):.1f} s")
    return questions


def _room_for(sessions: int) -> Mapping[str, str]:
    """Limits that are never below the number of sessions; by default they are far above it."""
    if sessions <= 32:
        return {}
    limits = {f"VOXFLEET_{stage}_MAX_STREAMS": str(2 * sessions) for stage in ("VAD", "STT", "LLM", "TTS")}
    return limits | {"VOXFLEET_ORCHESTRATOR_MAX_SESSIONS": str(2 * sessions)}


def _counts(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",") if part.strip().isdecimal()]
    if not counts or len(counts) != len(text.split(",")) or min(counts) < 1:
        raise typer.BadParameter(f"--sessions: expected numbers from 1 on, separated by commas, got {text!r}")
    return counts


def _variants(texts: Sequence[str] | None) -> list[Variant]:
    try:
        variants = [parse_variant(text) for text in texts or ()]
    except ValueError as error:
        raise typer.BadParameter(f"--compare: {error}") from error
    names = [OWN_FLEET, *(variant.name for variant in variants)]
    if len(set(names)) < len(names):
        raise typer.BadParameter(f"--compare: every fleet needs a name of its own, and not {OWN_FLEET!r}")
    return variants


def _pids(texts: Sequence[str] | None) -> dict[str, int]:
    pids = {}
    for text in texts or ():
        name, _, number = text.partition("=")
        if not name or not number.isdecimal():
            raise typer.BadParameter(f"--pid: expected NAME=PID, got {text!r}")
        pids[name] = int(number)
    return pids


def _object(text: str | None) -> Mapping[str, object] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--turn-detection: expected JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter(f"--turn-detection: expected a JSON object, got {text!r}")
    return value


def _save(path: Path | None, text: str) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        _say(f"saved {path}")


def _show_round(each: Round) -> None:
    _say(f"{each.server.name}: {each.sessions} at once, round {each.number}, {each.turns} turns each")


def _show_turn(turn: TurnResult) -> None:
    heard = f"{turn.voice_to_voice_ms:.0f} ms" if turn.voice_to_voice_ms is not None else "not heard"
    notes = [note for note, holds in (("warm-up", turn.warm_up), ("cut off", turn.cut_off)) if holds]
    _say("  " + ", ".join([f"session {turn.session + 1}", heard, *notes, *([turn.failure] if turn.failure else [])]))


def _show_interruption(each: Interruption) -> None:
    if each.failure is not None:
        _say(f"  {each.failure}")
        return
    caught = "silent" if each.recognised else "not recognised, silent"
    _say(f"  after {each.at_ms / 1000:.1f} s: {caught} after {each.silent_ms:.0f} ms, kept “{each.history or ''}”")


def _trouble(line: LogLine) -> None:
    _say(line.text)


def _say(text: str) -> None:
    report.make_console(stderr=True).print(Text(text, "dim"), soft_wrap=True)


if __name__ == "__main__":
    app()
