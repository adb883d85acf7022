import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from websockets.exceptions import ConnectionClosed

from client.bench import idle as idle_module
from client.bench import script as script_module
from client.commands.bench import app
from client.sound.speech import write_wav
from tests.support.audio import tone
from tests.support.edge import serving_edge
from tests.support.realtime import Peer, scripted_server
from tests.support.scripted import Script, scripted_fleet
from tests.support.tts import ScriptedTts, serving_tts, speech


async def bench(*args: str) -> Result:
    """`voxfleet bench`, in a thread with an event loop of its own, as in a process of its own."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, args))


async def keep_answering(peer: Peer) -> None:
    await peer.greet()
    number = 0
    while True:
        number += 1
        await peer.hear_question()
        await peer.send(
            "conversation.item.input_audio_transcription.completed", item_id=f"item_{number}", transcript="is it noon"
        )
        await peer.reply(tone(0.1), "Yes.", response_id=f"resp_{number}")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_module, "PAUSE_S", (0.05, 0.1))
    monkeypatch.setattr(script_module, "STAGGER_S", 0.1)
    monkeypatch.setattr(idle_module, "SETTLE_S", 0.05)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    write_wav(tmp_path / "wav" / "noon.wav", tone(0.2))
    (tmp_path / "wav" / "noon.txt").write_text("Is it noon?")
    return tmp_path / "wav"


async def test_another_server_is_measured_with_recordings(recordings: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "new" / "bench.json", tmp_path / "new" / "bench.html"
    async with scripted_server(keep_answering) as url:
        result = await bench(
            *("turns", "--url", url, "--wav", str(recordings), "--sessions", "1,2", "--turns", "1"),
            *("--json", str(out), "--picture", str(picture), "--pid", f"self={os.getpid()}"),
        )
    assert result.exit_code == 0, result.output
    assert "Voice to voice" in result.output
    found = json.loads(await asyncio.to_thread(out.read_text))
    assert [(each["sessions"], each["turns"], each["failed"]) for each in found["summaries"]] == [(1, 1, 0), (2, 2, 0)]
    assert all(each["word_error_rate"] == 0 for each in found["summaries"])
    assert found["summaries"][0]["rss_bytes"]["self"] > 0
    assert "2 sessions" in await asyncio.to_thread(picture.read_text)


async def test_questions_of_a_file_are_spoken_first(tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    await asyncio.to_thread(questions.write_text, "Is it noon?\n")
    servicer = ScriptedTts(speech(tone(0.2), 24_000))
    async with scripted_server(keep_answering) as url, serving_tts(servicer) as tts:
        result = await bench(
            *("turns", "--url", url, "--say", str(questions), "--tts", tts, "--sessions", "1", "--turns", "1")
        )
    assert result.exit_code == 0, result.output
    assert servicer.requests[1].text == "Is it noon?"


async def test_status_is_1_where_nothing_was_heard(recordings: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        with suppress(ConnectionClosed):
            while True:
                await peer.receive()

    async with scripted_server(script) as url:
        result = await bench(
            *("turns", "--url", url, "--wav", str(recordings), "--sessions", "1", "--turns", "1", "--stall", "0.2")
        )
    assert result.exit_code == 1
    assert "1 × nothing from the server for 0.2 s" in result.output


async def test_a_server_that_is_down_is_one_error() -> None:
    for command in ("turns", "idle", "soak", "barge-in"):
        result = await bench(command, "--url", "ws://127.0.0.1:1/v1/realtime")
        assert result.exit_code == 1
        assert "voxfleet bench: no server at ws://127.0.0.1:1" in result.output


async def test_idle_sessions_of_another_server_are_measured(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        while True:
            await peer.receive()

    out = tmp_path / "idle.json"
    async with scripted_server(script) as url:
        result = await bench(
            *("idle", "--url", url, "--sessions", "2", "--seconds", "0.2"),
            *("--pid", f"self={os.getpid()}", "--json", str(out)),
        )
    assert result.exit_code == 0, result.output
    assert "CPU of 2 idle sessions" in result.output
    assert json.loads(await asyncio.to_thread(out.read_text))["sessions"] == 2


async def test_another_server_is_soaked_with_written_questions(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        while True:
            await peer.receive()
            await peer.receive()
            await peer.reply(tone(0.02), "Yes.")

    out = tmp_path / "soak.json"
    async with scripted_server(script) as url:
        result = await bench(
            *("soak", "--url", url, "--written", "--turns", "4", "--sessions", "2"),
            *("--pid", f"self={os.getpid()}", "--json", str(out)),
        )
    assert result.exit_code == 0, result.output
    assert "open files" in result.output
    found = json.loads(await asyncio.to_thread(out.read_text))
    assert found["failures"] == []
    assert [each["turns"] for each in found["samplings"]] == [0, 4]


async def test_a_fleets_replies_are_interrupted_and_what_was_heard_is_looked_up(tmp_path: Path) -> None:
    script = Script(texts=["no wait stop it"], replies=[" ".join(["word"] * 90)], ms_per_character=10)
    out = tmp_path / "barge.json"
    # A process of its own: gRPC serves one event loop of a process only.
    run = "import client.bench.barge_in as b; b.AT_S = (0.1, 0.4); from client.commands.bench import app; app()"
    async with scripted_fleet(script) as settings, serving_edge(settings) as address:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", run, "barge-in", "--url", f"ws://{address}/v1/realtime"),
            *("--tts", settings.tts_target, "--stt", settings.stt_target),
            *("--interruptions", "1", "--client", "reporting", "--json", str(out)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "Words in the history against words heard" in output.decode()
    found = json.loads(await asyncio.to_thread(out.read_text))
    (summary,) = found["summaries"]
    assert (summary["listener"], summary["attempts"], summary["recognised"]) == ("reporting", 1, 1)
    assert found["interruptions"][0]["history"].startswith("word")
    assert found["interruptions"][0]["words"]["kept"] >= 1


async def test_status_is_1_where_no_interruption_was_recognised() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("session.updated", session={})
        with suppress(ConnectionClosed):
            while True:
                await peer.receive()

    servicer = ScriptedTts(speech(tone(0.2), 24_000))
    async with scripted_server(script) as url, serving_tts(servicer) as tts:
        result = await bench("barge-in", "--url", url, "--tts", tts, "--interruptions", "1", "--stall", "0.1")
    assert result.exit_code == 1
    assert "reporting: no reply within 0.1 s" in result.output
    assert "plain: no reply within 0.1 s" in result.output


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--sessions", "1,x"), "expected numbers from 1 on"),
        (("--sessions", "0"), "expected numbers from 1 on"),
        (("--compare", "x"), "expected NAME=VARIABLE=VALUE"),
        (("--compare", "default=A=1"), "a name of its own"),
        (("--no-fleet", "--compare", "x=A=1"), "leave out --url"),
        (("--say", "a", "--wav", "b"), "give one of them"),
        (("--picture", "a.png"), "ends in .html"),
        (("--turns", "2", "--rounds", "3"), "at most as many as --turns"),
        (("--pid", "x"), "expected NAME=PID"),
        (("--turn-detection", "[]"), "expected a JSON object"),
        (("--turn-detection", "{"), "expected JSON"),
    ],
)
async def test_misuse_is_said_to_be_so(args: tuple[str, ...], expected: str) -> None:
    result = await asyncio.to_thread(
        lambda: CliRunner().invoke(app, ["turns", *args], env={"COLUMNS": "300", "NO_COLOR": "1"})
    )
    assert result.exit_code == 2
    assert expected in " ".join(result.output.replace("│", " ").split())


async def test_a_variable_that_makes_no_difference_is_an_error() -> None:
    result = await bench("turns", "--compare", "typo=VOXFLEET_LLM_MODLE=x")
    assert result.exit_code == 1
    assert "no service has the setting VOXFLEET_LLM_MODLE" in result.output
