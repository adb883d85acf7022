"""`/ws/stt` and `/stream`: speech in, transcriptions out, as clients of raw recognisers expect.

Client: binary frames of PCM s16le mono at 16 kHz, any size; `{"type":"end"}` when there is no more, `{"type":"flush"}`
for a final now. Server: `{"type":"transcription","text","is_final"}`, and `error` frames. After `end` the last final is
sent and the socket is closed with 1000. Query: `language`, `prompt`, `partials`, `sample_rate` (16000).

What other recognisers' clients send is understood as well: an empty binary frame, `{"eof":1}` (Vosk), `CloseStream`,
`Finalize` and `KeepAlive` (Deepgram), `Terminate` (AssemblyAI).
"""

import asyncio
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from chassis.audio import BYTES_PER_SAMPLE
from chassis.errors import StageError
from services.orchestrator.edge.connection import Frame
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.client_events import Model
from services.orchestrator.edge.single.backend import call_context
from services.orchestrator.edge.single.recognition import Options, Recognition, Transcription
from services.orchestrator.edge.single.sockets import FramedSocket
from services.orchestrator.edge.validation import explain

_END = ("end", "CloseStream", "Terminate")
_FLUSH = ("flush", "Finalize")


class Command(Model):
    """What a client may say beside its audio."""

    type: Literal["end", "flush", "CloseStream", "Finalize", "KeepAlive", "Terminate"]


class Query(BaseModel):
    """The parameters of the address; others are somebody else's."""

    model_config = ConfigDict(extra="ignore")

    language: str = Field("", pattern="^([a-z]{2,3})?$")
    prompt: str = Field("", max_length=1000)
    partials: bool = True
    sample_rate: int = Field(16_000, ge=16_000, le=16_000)
    encoding: Literal["pcm_s16le", "linear16"] = "pcm_s16le"


class SttConversation:
    """One connection: one task reads audio, one recognises it."""

    def __init__(self, socket: FramedSocket, options: Options) -> None:
        self._socket = socket
        backend = socket.backend
        self._recognition = Recognition(
            backend.stages, backend.settings, call_context("stt"), options, self._tell, self._tell_failure
        )

    async def run(self) -> None:
        """Talks until the last transcription is sent."""
        async with asyncio.TaskGroup() as tasks:
            recognising = tasks.create_task(self._recognition.run())
            reading = tasks.create_task(self._read())
            await asyncio.wait((recognising,))
            reading.cancel()

    async def _read(self) -> None:
        while True:
            await self._receive(await self._socket.receive())

    async def _receive(self, frame: Frame) -> None:
        if self._recognition.ended:
            await self._socket.send_error("ended", "expected nothing after the end of the audio")
        elif isinstance(frame, str):
            await self._obey(frame)
        elif not frame:
            self._recognition.end()
        elif len(frame) % BYTES_PER_SAMPLE:
            message = f"expected whole 16-bit samples, an even number of bytes, got {len(frame)} bytes"
            await self._socket.send_error("invalid_audio", message, "audio")
        else:
            await self._recognition.write(frame)

    async def _obey(self, text: str) -> None:
        try:
            data: Any = from_json(text)
        except ValueError as problem:
            await self._socket.send_error("invalid_json", f"expected one JSON object: {problem}")
            return
        if data == {"eof": 1}:
            data = {"type": "end"}
        try:
            command = Command.model_validate(data)
        except ValidationError as problem:
            fault = explain(problem, data)
            await self._socket.send_error(fault.code, fault.message, fault.param)
            return
        if command.type in _END:
            self._recognition.end()
        elif command.type in _FLUSH:
            self._recognition.flush()

    async def _tell(self, told: Transcription) -> None:
        final = {"start_ms": told.start_ms, "end_ms": told.end_ms, "language": told.language} if told.is_final else {}
        await self._socket.send("transcription", text=told.text, is_final=told.is_final, **final)

    async def _tell_failure(self, error: StageError) -> None:
        await self._socket.send_failure(error)


async def converse(socket: FramedSocket) -> None:
    """Serves `/ws/stt` and `/stream`. Raises ApiError where the address asks for what is not there."""
    asked = dict(socket.query)
    try:
        query = Query.model_validate(asked)
    except ValidationError as problem:
        raise ApiError.of_validation(problem, asked) from None
    await SttConversation(socket, Options(query.language, query.prompt, query.partials)).run()
