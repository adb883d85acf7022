"""`POST /v1/audio/transcriptions`: OpenAI's transcription API over the speech-to-text stage alone."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from voxfleet.stt.v1 import stt_pb2

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.formats import fleet_format
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.client_events import Model
from services.orchestrator.edge.single.backend import Backend, call_context
from services.orchestrator.edge.single.http import Streamed, read_form, while_connected
from services.orchestrator.edge.single.subtitles import Segment, Word, segments, to_srt, to_vtt
from services.orchestrator.edge.single.wav import NotWavError, read_wav
from services.orchestrator.languages import language_name
from services.orchestrator.transcription import transcribe

PARAMS = {"hint": "prompt", "audio": "file"}

_PIECE_BYTES = SAMPLE_RATE * BYTES_PER_SAMPLE


Granularity = Literal["word", "segment"]


class TranscriptionRequest(Model):
    """The fields beside `file`. `model` names what the client is used to; the fleet has one."""

    model: str = Field(max_length=256)
    language: str = Field("", pattern="^([a-z]{2,3})?$")
    prompt: str = Field("", max_length=1000)
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: float = Field(0.0, ge=0, le=1)
    """Accepted, no effect: the stage decodes greedily."""
    timestamp_granularities: list[Granularity] = Field(["segment"], max_length=2)
    stream: bool = False
    chunking_strategy: str | None = None
    """Accepted, no effect: long files are cut at pauses."""

    @property
    def words(self) -> bool:
        """Whether the answer needs times."""
        return self.response_format in ("srt", "vtt", "verbose_json")


async def create_transcription(request: Request, backend: Backend) -> Response:
    """The text of a WAV file, in the format asked for."""
    settings = backend.settings
    wish, upload = await read_form(request, TranscriptionRequest, "file", settings)
    if upload is None:
        raise ApiError.invalid("file", "a file, got none", code="missing_required_parameter")
    if wish.stream and wish.response_format != "json":
        raise ApiError.invalid("response_format", "json where stream is true")
    try:
        pcm = await asyncio.to_thread(read_wav, upload, settings.max_file_s)
    except NotWavError as problem:
        hint = "convert it with: ffmpeg -i FILE -c:a pcm_s16le FILE.wav"
        raise ApiError(400, f"file: {problem}; {hint}", code="invalid_audio", param="file") from None
    config = stt_pb2.TranscribeConfig(format=fleet_format(), language=wish.language, hint=wish.prompt, words=wish.words)
    work = transcribe(backend.stages, call_context("transcription"), config, pcm, settings.file_timeout_s)
    final = await while_connected(request.receive, work)
    duration_s = len(pcm) / _PIECE_BYTES
    if wish.stream:
        return Streamed(b"", _events(final.text), "text/event-stream", settings.session_idle_timeout_s)
    return _render(wish, final, duration_s)


def _render(wish: TranscriptionRequest, final: stt_pb2.Final, duration_s: float) -> Response:
    words = [Word(word.text, word.start_offset / SAMPLE_RATE, word.end_offset / SAMPLE_RATE) for word in final.words]
    match wish.response_format:
        case "text":
            return PlainTextResponse(f"{final.text}\n")
        case "srt":
            return PlainTextResponse(to_srt(segments(final.text, words, duration_s)), media_type="application/x-subrip")
        case "vtt":
            return PlainTextResponse(to_vtt(segments(final.text, words, duration_s)), media_type="text/vtt")
        case "verbose_json":
            return JSONResponse(_verbose(wish, final, words, duration_s))
        case "json":
            return JSONResponse({"text": final.text, "usage": _usage(duration_s)})


def _verbose(
    wish: TranscriptionRequest, final: stt_pb2.Final, words: Sequence[Word], duration_s: float
) -> dict[str, Any]:
    """Without the decoder's inner figures (tokens, log probabilities), which the stage does not tell."""
    told: dict[str, Any] = {
        "task": "transcribe",
        "language": language_name(final.language).lower(),
        "duration": round(duration_s, 3),
        "text": final.text,
        "usage": _usage(duration_s),
    }
    if "word" in wish.timestamp_granularities:
        told["words"] = [
            {"word": word.text, "start": round(word.start_s, 3), "end": round(word.end_s, 3)} for word in words
        ]
    if "segment" in wish.timestamp_granularities:
        pieces = segments(final.text, words, duration_s)
        told["segments"] = [_segment(number, piece) for number, piece in enumerate(pieces)]
    return told


def _segment(number: int, piece: Segment) -> dict[str, Any]:
    return {"id": number, "start": round(piece.start_s, 3), "end": round(piece.end_s, 3), "text": piece.text}


def _usage(duration_s: float) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(duration_s, 3)}


async def _events(text: str) -> AsyncGenerator[bytes]:
    """The streamed form. All audio is there at once, so the text comes in one piece."""
    if text:
        yield _event({"type": "transcript.text.delta", "delta": text})
    yield _event({"type": "transcript.text.done", "text": text})
    yield b"data: [DONE]\n\n"


def _event(event: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
