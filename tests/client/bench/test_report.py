import io
import json

from rich.console import Console, RenderableType

from client.bench.idle import IdleCost
from client.bench.interruptions import Interruption, Listener, summarize_barge_in
from client.bench.processes import ProcessSample
from client.bench.report import (
    WIDTH,
    barge_in_tables,
    idle_table,
    make_console,
    soak_row,
    soak_table,
    turn_tables,
    turns_json,
)
from client.bench.soak import Sampling, Soak
from client.bench.statistics import Run, summarize
from client.turns import Gap
from tests.client.bench.runs import run, turn

SERVICES = ("vad", "stt", "llm", "tts", "orchestrator")
MARKS = {"endpoint": 300, "transcript": 200, "first_token": 290, "audio_sent": 320}


def printed(*parts: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=WIDTH)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def tables(*runs: Run) -> str:
    return printed(*turn_tables([summarize(each) for each in runs]))


def row(text: str, begins: str, nth: int = 0) -> list[str]:
    """The cells behind the label of the nth row that begins so."""
    lines = [line for line in text.splitlines() if line.startswith(begins)]
    return lines[nth].removeprefix(begins).split()


def test_latencies_stand_beside_what_they_are_of() -> None:
    text = tables(run(turn(9000, warm_up=True), turn(400), turn(600, gaps=(Gap(1, 2),)), turn(None, failure="lost")))
    assert row(text, "1 session") == ["500", "580", "600", "9000", "3", "—", "0", "1", "1", "0.0", "%"]
    assert "1 session: 1 × lost" in text


def test_marks_are_shown_where_there_are_any() -> None:
    text = tables(run(turn(marks=MARKS, draft="kept")))
    assert row(text, "1 session", 1) == ["300", "200", "290", "—", "—", "320", "20", "20"]
    assert "marks" not in tables(run(turn()))


def test_costs_are_shown_where_they_are_known() -> None:
    text = tables(run(turn()))
    assert row(text, "1 session", 1) == ["200.0", "300.0", "500.0", "50.0"]
    assert row(text, "1 session", 2) == ["100", "200", "300"]
    assert "CPU" not in tables(run(turn(), cpu_s={}, rss_bytes={}))


def test_several_servers_are_told_apart() -> None:
    text = tables(run(turn(100)), run(turn(200), server="no drafts"), run(turn(300), sessions=4))
    assert row(text, "1 session, default")[0] == "100"
    assert row(text, "1 session, no drafts")[0] == "200"
    assert row(text, "4 sessions, default")[0] == "300"


def test_a_machine_that_is_too_busy_is_said_to_be() -> None:
    assert "1 session: 2.0% of the audio was sent late" in tables(run(turn(), late_blocks=10))
    assert "late" not in tables(run(turn(), late_blocks=5))


def test_no_table_is_wider_than_100_columns() -> None:
    costs = {"cpu_s": dict.fromkeys(SERVICES, 123.4), "rss_bytes": dict.fromkeys(SERVICES, 9 << 30)}
    runs = [
        run(turn(12345.6, marks=dict.fromkeys(MARKS, 12345.6), draft="kept"), server=server, sessions=64, **costs)
        for server in ("default", "a name of some length")
    ]
    text = tables(*runs)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "…" not in text
    assert make_console().width <= WIDTH


def test_the_json_holds_the_figures_and_every_turn() -> None:
    runs = [run(turn(400, marks=MARKS), turn(600))]
    found = json.loads(json.dumps(turns_json(runs, [summarize(each) for each in runs], {"turns": 2})))
    assert found["settings"] == {"turns": 2}
    assert found["summaries"][0]["voice_to_voice"]["p50"] == 500
    assert [each["voice_to_voice_ms"] for each in found["runs"][0]["turns"]] == [400, 600]
    assert found["machine"]["cores"] >= 1


def interruption(listener: Listener, history: str = "one two", **changes: float) -> Interruption:
    times = {"silent_ms": 1_100.0, "unstopped_ms": 1_200.0, "told_ms": 1_000.0, "last_received_ms": 1_050.0} | changes
    return Interruption(
        listener,
        recognised=True,
        sent="one two three",
        history=history,
        heard="one two",
        **times,  # type: ignore[arg-type]
    )


def test_interruptions_are_told_by_the_kind_of_client() -> None:
    lost = Interruption(Listener.PLAIN, failure="the connection was lost")
    plain = [interruption(Listener.PLAIN, silent_ms=1_300), interruption(Listener.PLAIN, "one two three"), lost]
    text = printed(*barge_in_tables(summarize_barge_in([interruption(Listener.REPORTING), *plain])))
    times = ["1000/1000/1000", "1050/1050/1050", "0/0/0", "1100/1100/1100", "1200/1200/1200", "1/1"]
    assert row(text, "reporting") == times
    assert row(text, "plain")[3:] == ["1200/1280/1300", "1200/1200/1200", "2/3"]
    assert row(text, "reporting", 1) == ["1/1", "1/1", "0.00", "0", "1/1", "0.00", "0", "0.00"]
    assert row(text, "plain", 1) == ["1/2", "2/2", "0.50", "1", "2/2", "0.50", "1", "0.50"]
    assert "plain: the connection was lost" in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "…" not in text


def test_idle_costs_are_per_session_beside_the_empty_fleet() -> None:
    text = printed(idle_table(IdleCost(20, 10.0, {"vad": 0.001, "llm": 0.002}, {"vad": -1e-9}, {"vad": 0.0095})))
    assert row(text, "vad") == ["1.0", "0.0", "9.5"]
    assert row(text, "llm") == ["2.0", "—", "—"]
    assert row(text, "total") == ["3.0", "0.0", "9.5"]


def sampling(turns: int, kilobytes: int, threads: int = 4) -> Sampling:
    return Sampling(turns, {"llm": ProcessSample(1, 0.0, kilobytes * 1024, threads, open_files=None)})


def test_growth_is_what_comes_behind_the_warm_up() -> None:
    soak = Soak((sampling(0, 1024), sampling(40, 9000), sampling(60, 9060), sampling(80, 9120, threads=5)), ("lost",))
    assert soak.growth_bytes("llm") == 3 * 1024
    text = printed(soak_table(soak))
    assert row(text, "0 turns, MB") == ["1"]
    assert row(text, "growth, KB a turn") == ["3.0"]
    assert row(text, "threads") == ["4", "→", "5"]
    assert row(text, "open files") == ["—", "→", "—"]
    assert "1 turns failed, the first: lost" in text


def test_a_short_soak_knows_no_growth() -> None:
    assert Soak((sampling(0, 1), sampling(20, 2)), ()).growth_bytes("llm") is None
    assert soak_row(sampling(20, 2048)) == "  20 turns  llm 2 MB"
