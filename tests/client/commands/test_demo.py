import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from client.sound.speech import read_wav
from tests.support.audio import tone
from tests.support.realtime import Peer, scripted_server
from tests.support.tts import ScriptedTts, serving_tts, speech


async def demo(edge: str, tts: str, *args: str, patience_s: float = 10) -> tuple[int | None, str, str]:
    """`make demo` with the fleet's ports at `edge` and `tts`, in a process of its own: status, output, errors."""
    code = f"import client.commands.demo as demo; demo._FOREIGN_TIMEOUT_S = {patience_s}; demo.app()"
    ports = {
        "VOXFLEET_ORCHESTRATOR_PORT": str(urlsplit(edge).port),
        "VOXFLEET_TTS_PORT": tts.rpartition(":")[2],
        "PYTHONIOENCODING": "utf-8",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, *args),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | ports,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_a_fleet_that_is_already_up_is_used(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await peer.reply(tone(0.5), "晴天。")
        await peer.connection.wait_closed()

    servicer = ScriptedTts(speech(tone(0.2), 24_000))
    async with scripted_server(script) as edge, serving_tts(servicer) as tts:
        status, output, errors = await demo(edge, tts, "--ask", "今天天气怎么样？", "--out", str(tmp_path))
    assert status == 0, output + errors
    assert "already up at http://localhost:" in output
    assert "asked       今天天气怎么样？" in output
    assert "answered    晴天。" in output
    assert servicer.requests[0].config.language == "zh"
    assert await asyncio.to_thread(read_wav, tmp_path / "reply.wav") == tone(0.5)


async def test_a_reply_that_was_not_heard_is_status_1(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear_question()
        await peer.reply(b"", "", status="failed", error={"message": "the llm is down"})
        await peer.connection.wait_closed()

    async with scripted_server(script) as edge, serving_tts(ScriptedTts(speech(tone(0.2), 24_000))) as tts:
        status, output, _ = await demo(edge, tts, "--out", str(tmp_path))
    assert status == 1
    assert "not heard   the reply was failed: the llm is down" in output


async def test_something_else_on_the_port_is_said_with_the_variable_that_chooses_another(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()

    async with scripted_server(script, ready=False) as edge:
        status, _, errors = await demo(edge, "127.0.0.1:9", "--out", str(tmp_path), patience_s=0.2)
    assert status == 1
    assert "does not become a ready fleet; VOXFLEET_ORCHESTRATOR_PORT chooses another port" in errors
