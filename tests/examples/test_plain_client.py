"""The example clients are those of the documentation, and hold a conversation. Stages scripted."""

import asyncio
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.support.edge import scripted_edge
from tests.support.scripted import Script, silence, speech

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LANGUAGES = {"python": EXAMPLES / "plain_client.py", "js": EXAMPLES / "plain_client.mjs"}
TEXTS = ["what time is it", "and in Rome"]
REPLIES = ["It is noon.", "It is one."]


@pytest.fixture(params=LANGUAGES)
def command(request: pytest.FixtureRequest) -> list[str]:
    """What runs an example."""
    example = LANGUAGES[request.param]
    if example.suffix == ".py":
        return [sys.executable, str(example)]
    node = [shutil.which("node") or "node", "--experimental-websocket"]
    try:
        subprocess.run([*node, "--eval", "new WebSocket('ws://[::1]:1').onerror = () => {}"], check=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"a node with a WebSocket is not installed: {problem}")
    return [*node, str(example)]


def write_question(path: Path) -> None:
    """Something that is said, as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(speech(0.6) + silence(0.1))


def seconds_of_replies(folder: Path) -> list[float]:
    """How long what an example kept of its replies is, in order."""
    seconds = []
    for reply in sorted(folder.glob("*.reply.*")):
        if reply.suffix == ".pcm":
            seconds.append(reply.stat().st_size / 48_000)
            continue
        with wave.open(str(reply)) as file:
            seconds.append(file.getnframes() / file.getframerate())
    return seconds


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_documentation_shows_the_example_as_it_is(language: str) -> None:
    page = (ROOT / "docs" / "plain-protocol.md").read_text()
    (shown,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert shown == LANGUAGES[language].read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_is_short(language: str) -> None:
    lines = [line for line in LANGUAGES[language].read_text().splitlines() if line.strip()]
    assert len(lines) <= 33


async def test_an_example_holds_a_conversation_of_two_turns(command: list[str], tmp_path: Path) -> None:
    files = [tmp_path / "first.wav", tmp_path / "second.wav"]
    for file in files:
        await asyncio.to_thread(write_question, file)
    async with scripted_edge(Script(texts=list(TEXTS), replies=list(REPLIES))) as address:
        process = await asyncio.create_subprocess_exec(
            *command,
            f"ws://{address}/realtime",
            *map(str, files),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(30):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    told = output.decode()
    assert process.returncode == 0, told
    assert re.findall(r"^transcript (.*)$", told, re.MULTILINE) == TEXTS, told
    assert await asyncio.to_thread(seconds_of_replies, tmp_path) == [0.02 * len(text) for text in REPLIES]
