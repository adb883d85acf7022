"""`POST /v1/audio/speech`: OpenAI's speech API over the text-to-speech stage alone, streamed."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import Response

from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.client_events import Model
from services.orchestrator.edge.realtime.updates import voice as fleet_voice
from services.orchestrator.edge.single.backend import Backend, call_context
from services.orchestrator.edge.single.http import Streamed, read_json, while_connected
from services.orchestrator.edge.single.speaking import MAX_CHARACTERS, RATE, Speech, speak
from services.orchestrator.edge.single.wav import streaming_header

PARAMS = {"text": "input"}

_ENCODED = ("mp3", "opus", "aac", "flac")


VoiceName = Annotated[str, Field(max_length=64)]


class VoiceId(Model):
    """A voice by its id, which is its name."""

    id: str = Field(min_length=1, max_length=64)


class SpeechRequest(Model):
    """What the API takes. `model` names what the client is used to; the fleet has one."""

    model: str = Field(max_length=256)
    input: str = Field(min_length=1, max_length=MAX_CHARACTERS)
    voice: VoiceName | VoiceId = ""
    instructions: str | None = Field(None, max_length=32_000)
    """Accepted, no effect: the voices take no directions."""
    response_format: Literal["pcm", "wav"] = "wav"
    speed: float = Field(1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio"] = "audio"

    @field_validator("response_format", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        if value in _ENCODED:
            raise ValueError("expected pcm or wav: this server encodes no compressed audio")
        return value


async def create_speech(request: Request, backend: Backend) -> Response:
    """PCM s16le mono at 24 kHz, bare or behind a WAV header, from the stage's first audio on."""
    wish = await read_json(request, SpeechRequest, backend.settings)
    if not wish.input.strip():
        raise ApiError.invalid("input", "something to say, got white space")
    named = wish.voice.id if isinstance(wish.voice, VoiceId) else wish.voice
    await backend.require_voice(fleet_voice(named))
    speech = Speech(wish.input, named, speed=wish.speed)
    audio = speak(backend.stages, call_context("speech"), speech, backend.settings.language)
    try:
        first = await while_connected(request.receive, anext(audio, b""))
    except BaseException:
        await audio.aclose()
        raise
    headers = {"X-Sample-Rate": str(RATE)}
    stall_s = backend.settings.session_idle_timeout_s
    if wish.response_format == "pcm":
        return Streamed(first, audio, "audio/pcm", stall_s, headers)
    return Streamed(streaming_header(RATE) + first, audio, "audio/wav", stall_s, headers)
