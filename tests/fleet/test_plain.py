"""The plain protocol with the real fleet: the library's client interrupts, the examples hold their conversations."""

import asyncio
import re
import shutil
import subprocess
import sys
import wave
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chassis.audio import float_to_pcm, pcm_to_float, resample
from client.plain import FRAME, PlainClient
from client.plain_events import (
    Ack,
    AudioDropped,
    Event,
    Failure,
    ReplyAudio,
    ReplyDone,
    ReplyPaused,
    ReplyResumed,
    ReplyText,
    Transcript,
)
from client.sound.hearing import transcribe
from client.sound.loudspeaker import SimulatedLoudspeaker
from client.sound.speech import read_wav, synthesise
from tests.fleet.conftest import Fleet

pytestmark = pytest.mark.fleet

ROOT = Path(__file__).parents[2]
QUESTION = "What is the capital of France?"
PATIENCE_S = 90.0


async def spoken(fleet: Fleet, text: str) -> bytes:
    """`text` as speech, PCM s16le mono 16 kHz."""
    pcm = await synthesise(text, language="en", target=fleet.target("tts"))
    return float_to_pcm(await asyncio.to_thread(resample, pcm_to_float(pcm), 24_000, 16_000))


@dataclass(slots=True)
class Reply:
    """One reply as the client got it."""

    text: str = ""
    pcm: bytes = b""
    done: ReplyDone | None = None


@dataclass(slots=True)
class Talk:
    """A person with a microphone that never stops and a loudspeaker that says where it is."""

    client: PlainClient
    transcripts: list[str] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    problems: list[Event] = field(default_factory=list)
    _said: deque[bytes] = field(default_factory=deque)
    _loudspeaker: SimulatedLoudspeaker = field(default_factory=SimulatedLoudspeaker)

    def say(self, pcm: bytes) -> None:
        """Says it from now on."""
        self._said.extend(pcm[at : at + 2 * FRAME].ljust(2 * FRAME, b"\0") for at in range(0, len(pcm), 2 * FRAME))

    async def microphone(self) -> None:
        """Sends 20 ms every 20 ms, and every 200 ms where the loudspeaker is."""
        clock = asyncio.get_running_loop().time
        start, number = clock(), 0
        while True:
            await self.client.send_audio(self._said.popleft() if self._said else bytes(2 * FRAME))
            number += 1
            if number % 10 == 0 and (position := self._loudspeaker.position(clock())) is not None:
                await self.client.report_playout(position.item_id, position.audio_ms, playing=position.playing)
            await asyncio.sleep(start + number * 0.02 - clock())

    async def reply(self, on_audio: Callable[[bytes], None] = lambda _: None) -> Reply:
        """The next reply, to its end. `on_audio` sees all of its audio so far."""
        now, reply = asyncio.get_running_loop().time, Reply()
        async with asyncio.timeout(PATIENCE_S):
            async for event in self.client:
                match event:
                    case Transcript(text=text):
                        self.transcripts.append(text)
                    case ReplyText(text=text):
                        reply.text += text
                    case ReplyAudio(item_id, position, pcm):
                        assert position == len(reply.pcm) // 2
                        reply.pcm += pcm
                        self._loudspeaker.push(item_id, pcm, now())
                        on_audio(reply.pcm)
                    case ReplyPaused():
                        self._loudspeaker.hold(now())
                    case ReplyResumed():
                        self._loudspeaker.resume(now())
                    case Ack():
                        self.acks.append(event)
                    case AudioDropped() | Failure():
                        self.problems.append(event)
                    case ReplyDone(status=status):
                        if status != "completed":
                            self._loudspeaker.flush(now())
                        reply.done = event
                        return reply
        pytest.fail("the server closed the connection")


async def test_a_conversation_of_two_turns_with_an_interruption(fleet: Fleet) -> None:
    question, request, interruption = [
        await spoken(fleet, text)
        for text in (
            QUESTION,
            "Please count slowly from one to thirty.",
            "Stop. What is the capital of Italy?",
        )
    ]
    async with PlainClient.connect(f"ws://{fleet.address}/realtime") as client:
        talk = Talk(client)
        microphone = asyncio.create_task(talk.microphone())
        try:
            talk.say(question)
            first = await talk.reply()
            assert first.done is not None
            assert first.done.status == "completed"
            assert "Paris" in first.done.heard
            assert "paris" in (await transcribe(first.pcm, language="en", target=fleet.target("stt"))).lower()

            interrupted = False

            def interrupt(pcm: bytes) -> None:
                nonlocal interrupted
                if not interrupted and len(pcm) > 24_000 * 2:
                    interrupted = True
                    talk.say(interruption)

            talk.say(request)
            second = await talk.reply(interrupt)
            assert second.done is not None
            assert second.done.status == "cancelled", second
            assert second.done.heard
            assert second.text.startswith(second.done.heard)
            third = await talk.reply()
            assert third.done is not None
            assert "Rome" in third.done.heard
        finally:
            microphone.cancel()
            await asyncio.wait({microphone})
    assert "france" in talk.transcripts[0].lower()
    assert talk.problems == []
    sequences = [ack.sequence for ack in talk.acks]
    assert sequences == sorted(set(sequences))
    # Every frame was 20 ms of the session's time.
    assert all(ack.position == (ack.sequence + 1) * FRAME for ack in talk.acks)


@pytest.fixture(params=["plain_client.py", "plain_client.mjs"])
def example(request: pytest.FixtureRequest) -> list[str]:
    """What runs an example."""
    path = str(ROOT / "examples" / request.param)
    if path.endswith(".py"):
        return [sys.executable, path]
    node = [shutil.which("node") or "node", "--experimental-websocket"]
    try:
        subprocess.run([*node, "--eval", "WebSocket"], check=True, timeout=30, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"a node with a WebSocket is not installed: {problem}")
    return [*node, path]


def write_wav(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(pcm)


def read_reply(question: Path) -> bytes:
    """The reply that an example kept, PCM s16le mono 24 kHz."""
    raw = question.with_name(f"{question.name}.reply.pcm")
    return raw.read_bytes() if raw.exists() else read_wav(question.with_name(f"{question.name}.reply.wav"))


async def test_an_example_is_understood_and_answered_twice(fleet: Fleet, example: list[str], tmp_path: Path) -> None:
    asked = {tmp_path / "1.wav": (QUESTION, "paris"), tmp_path / "2.wav": ("And of Italy?", "rome")}
    for path, (text, _) in asked.items():
        await asyncio.to_thread(write_wav, path, await spoken(fleet, text))
    process = await asyncio.create_subprocess_exec(
        *example,
        f"ws://{fleet.address}/realtime",
        *map(str, asked),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(2 * PATIENCE_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    told = output.decode()
    assert process.returncode == 0, told
    transcripts = re.findall(r"^transcript (.*)$", told, re.MULTILINE)
    assert "france" in transcripts[0].lower(), told
    assert "italy" in transcripts[-1].lower(), told
    for path, (_, answer) in asked.items():
        pcm = await asyncio.to_thread(read_reply, path)
        heard = await transcribe(pcm, language="en", target=fleet.target("stt"))
        assert answer in heard.lower(), told
