"""`/ws/tts`: text in, speech out.

Client, JSON text frames: `set_voice`, `synthesize`, `cancel`. Server: `ready`, which declares the audio's format, then
for each `synthesize` binary frames of PCM s16le mono at 24 kHz and one `synthesis_done` or, after `cancel`,
`synthesis_cancelled`; what failed says so in an `error` before, and in `failed`. Requests are spoken in order. One that
comes while another is spoken waits; at most eight do, one more is an error.
"""

import asyncio
from collections import deque
from contextlib import aclosing
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from chassis.errors import StageError
from services.orchestrator.edge.connection import Frame
from services.orchestrator.edge.realtime.client_events import Model
from services.orchestrator.edge.realtime.updates import voice as fleet_voice
from services.orchestrator.edge.single.backend import call_context
from services.orchestrator.edge.single.sockets import FramedSocket
from services.orchestrator.edge.single.speaking import MAX_CHARACTERS, RATE, Speech, speak
from services.orchestrator.edge.validation import explain

MAX_WAITING = 8
"""Requests that wait while one is spoken."""

VoiceName = Annotated[str, Field(max_length=64)]
Language = Annotated[str, Field(pattern="^([a-z]{2,3})?$")]
Speed = Annotated[float, Field(ge=0.25, le=4.0)]


class SetVoice(Model):
    """The voice, language and pace of what is asked for from now on. Null or left out: as it is."""

    type: Literal["set_voice"]
    voice: VoiceName | None = None
    language: Language | None = None
    speed: Speed | None = None
    reference_audio: str | None = None
    """Base64 of a voice to clone. No engine clones: always an error."""
    reference_text: str | None = None


class Synthesize(Model):
    """Speaks a text. `id` is told back."""

    type: Literal["synthesize"]
    text: str = Field(min_length=1, max_length=MAX_CHARACTERS)
    id: str | None = Field(None, max_length=64)
    voice: VoiceName | None = None
    language: Language | None = None
    speed: Speed | None = None


class Cancel(Model):
    """Stops what is spoken and drops what waits."""

    type: Literal["cancel"]


Command = Annotated[SetVoice | Synthesize | Cancel, Field(discriminator="type")]
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


class TtsConversation:
    """One connection: one task reads commands, one speaks what they ask for."""

    def __init__(self, socket: FramedSocket) -> None:
        self._socket = socket
        self._backend = socket.backend
        self._voice, self._language, self._speed = "", "", 1.0
        self._waiting: deque[tuple[str | None, Speech]] = deque()
        self._asked = asyncio.Event()
        self._current: asyncio.Task[bool] | None = None

    async def run(self) -> None:
        """Talks until the client leaves."""
        names = await self._backend.voices.names()
        audio = {"encoding": "pcm_s16le", "sample_rate": RATE, "channels": 1}
        await self._socket.send("ready", audio=audio, voices=list(names))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._speak_all())
            while True:
                await self._receive(await self._next_frame())

    async def _next_frame(self) -> Frame:
        """The next frame; silence of a client that listens is no idleness."""
        while True:
            try:
                return await self._socket.receive()
            except TimeoutError:
                if self._current is None:
                    raise

    async def _receive(self, frame: Frame) -> None:
        if isinstance(frame, bytes):
            message = "expected a JSON text frame, got a binary frame; no engine of this fleet takes reference audio"
            await self._socket.send_error("invalid_frame", message)
            return
        try:
            data = from_json(frame)
        except ValueError as problem:
            await self._socket.send_error("invalid_json", f"expected one JSON object: {problem}")
            return
        try:
            await self._obey(_COMMAND.validate_python(data))
        except ValidationError as problem:
            fault = explain(problem, data)
            await self._socket.send_error(fault.code, fault.message, fault.param)
        except StageError as error:
            await self._socket.send_failure(error)

    async def _obey(self, command: Command) -> None:
        match command:
            case SetVoice():
                await self._set_voice(command)
            case Synthesize():
                await self._enqueue(command)
            case Cancel():
                await self._cancel()

    async def _set_voice(self, wish: SetVoice) -> None:
        if wish.reference_audio is not None or wish.reference_text is not None:
            field = "reference_audio" if wish.reference_audio is not None else "reference_text"
            expected = "nothing: the text-to-speech engine of this fleet cannot clone a voice; name one of its own"
            raise StageError.invalid(field, expected, reason="CLONING_UNSUPPORTED")
        if wish.voice is not None:
            await self._backend.require_voice(fleet_voice(wish.voice))
            self._voice = wish.voice
        if wish.language is not None:
            self._language = wish.language
        if wish.speed is not None:
            self._speed = wish.speed
        await self._socket.send("voice_set", voice=self._voice, language=self._language, speed=self._speed)

    async def _enqueue(self, wish: Synthesize) -> None:
        if not wish.text.strip():
            raise StageError.invalid("text", "something to say, got white space")
        if wish.voice is not None:
            await self._backend.require_voice(fleet_voice(wish.voice))
        if len(self._waiting) >= MAX_WAITING:
            message = f"expected at most {MAX_WAITING} texts to wait; send more once one is done, or cancel"
            await self._socket.send_error("queue_full", message, id=wish.id)
            return
        speech = Speech(
            wish.text,
            self._voice if wish.voice is None else wish.voice,
            self._language if wish.language is None else wish.language,
            self._speed if wish.speed is None else wish.speed,
        )
        self._waiting.append((wish.id, speech))
        self._asked.set()

    async def _cancel(self) -> None:
        dropped, self._waiting = list(self._waiting), deque()
        if self._current is not None:
            self._current.cancel()
            await asyncio.wait((self._current,))
        for name, _ in dropped:
            await self._socket.send("synthesis_cancelled", id=name)

    async def _speak_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                while not self._waiting:
                    self._asked.clear()
                    await self._asked.wait()
                name, speech = self._waiting.popleft()
                self._current = tasks.create_task(self._speak(name, speech))
                # Only what is spoken is cancelled by the client; this task is not.
                await asyncio.wait((self._current,))
                spoken, self._current = self._current, None
                if spoken.cancelled():
                    await self._socket.send("synthesis_cancelled", id=name)
                elif spoken.exception() is None:
                    await self._socket.send("synthesis_done", id=name, failed=None if spoken.result() else True)

    async def _speak(self, name: str | None, speech: Speech) -> bool:
        """Whether all of it was spoken."""
        try:
            pieces = speak(self._backend.stages, call_context("tts"), speech, self._backend.settings.language)
            async with aclosing(pieces):
                async for pcm in pieces:
                    await self._socket.send_audio(pcm)
        except StageError as error:
            await self._socket.send_failure(error, id=name)
            return False
        return True


async def converse(socket: FramedSocket) -> None:
    """Serves `/ws/tts`."""
    await TtsConversation(socket).run()
