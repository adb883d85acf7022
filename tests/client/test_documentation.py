"""The examples of docs/client.md are run as they stand, but for the address, against the edge over scripted stages."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from voxfleet.llm.v1 import llm_pb2

from client.sound.speech import write_wav
from tests.support.edge import scripted_edge
from tests.support.scripted import Script, silence, speech

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = {
    title: code
    for section in PAGE.split("\n## ")[1:]
    for title, code in [(section.partition("\n")[0], "\n".join(re.findall(r"```python\n(.*?)```", section, re.S)))]
    if code
}
ADDRESS = "localhost:8000"


async def run(title: str, script: Script, folder: Path) -> str:
    """What an example prints."""
    code = EXAMPLES[title]
    assert ADDRESS in code
    question = speech(0.8, 24_000) + silence(0.2, 24_000)
    await asyncio.to_thread(write_wav, folder / "question.wav", question)
    async with scripted_edge(script) as address, asyncio.timeout(60):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", code.replace(ADDRESS, address)),
            stdout=asyncio.subprocess.PIPE,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"},
        )
        output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


def test_every_example_is_run_below() -> None:
    assert set(EXAMPLES) == {
        "A question in writing",
        "A spoken question",
        "A microphone",
        "Push to talk",
        "Tools",
        "A connection that is lost",
    }


async def test_a_question_in_writing(tmp_path: Path) -> None:
    output = await run("A question in writing", Script(), tmp_path)
    assert re.fullmatch(r"It is noon\. The sun is high\.\ncompleted, 0\.\d s of speech\n", output), output


async def test_a_spoken_question(tmp_path: Path) -> None:
    output = await run("A spoken question", Script(), tmp_path)
    assert output.startswith("what time is it -> It is noon. The sun is high.\n")
    assert output.endswith("ms voice to voice, heard\n")
    assert await asyncio.to_thread((tmp_path / "reply.wav").exists)


async def test_a_microphone(tmp_path: Path) -> None:
    output = await run("A microphone", Script(), tmp_path)
    assert "you: what time is it\n" in output
    assert output.endswith("reply completed\n")


@pytest.mark.parametrize("title", ["Push to talk", "A connection that is lost"])
async def test_a_single_reply(title: str, tmp_path: Path) -> None:
    assert await run(title, Script(), tmp_path) == "It is noon. The sun is high.\n"


class CallsOnce(Script):
    """The model's last reply calls no function any more."""

    def next(self, script: list[str]) -> str:
        """The next of a script."""
        if script is self.replies and len(script) == 1:
            self.calls.clear()
        return super().next(script)


async def test_tools(tmp_path: Path) -> None:
    call = llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city": "Rome"}')
    output = await run("Tools", CallsOnce(replies=["", "It is clear in Rome."], calls=[call]), tmp_path)
    assert output == 'calls weather {"city": "Rome"}\nIt is clear in Rome.\n'
