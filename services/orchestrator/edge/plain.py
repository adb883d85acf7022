"""The plain protocol of `/realtime`: binary PCM16 both ways, JSON text frames for everything else.

Client: binary frames of PCM s16le mono at 16 kHz, any size; text frames `configure`, `text`, `commit`, `clear`,
`cancel` and `playout`. Server: binary frames of PCM s16le mono at the rate that `session` declares; text frames for
events. Audio belongs to the reply that `reply_started` announced last.
"""

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from chassis.audio import SAMPLE_RATE
from chassis.resampling import Resampler
from services.orchestrator import events
from services.orchestrator.conversation import Item, Role
from services.orchestrator.edge.connection import Frame
from services.orchestrator.edge.realtime import updates
from services.orchestrator.edge.realtime.client_events import MAX_APPEND_BYTES, Model, NoiseReductionType
from services.orchestrator.edge.validation import explain
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.endpointing import FixedSilence
from services.orchestrator.replies import new_id
from services.orchestrator.session import Session
from services.orchestrator.session_config import ReplyOverrides

RATE = 24_000
"""Samples a second of audio to the client, in hertz."""


class Configure(Model):
    """Changes how the session goes on; what is left out stays as it is."""

    type: Literal["configure"]
    sample_rate: Literal[16000] = 16000
    instructions: str | None = Field(None, max_length=32_000)
    voice: str | None = Field(None, min_length=1, max_length=64)
    language: str | None = Field(None, pattern="^([a-z]{2,3})?$")
    silence_ms: int | None = Field(None, ge=0, le=10_000)
    detection: bool | None = None
    noise_reduction: NoiseReductionType | None = None
    """Null is a wish, too: off."""


class Text(Model):
    """Says something in writing and asks for a reply."""

    type: Literal["text"]
    text: str = Field(min_length=1, max_length=100_000)


class Commit(Model):
    """The turn is over."""

    type: Literal["commit"]


class Clear(Model):
    """What was said since the last turn is thrown away."""

    type: Literal["clear"]


class Cancel(Model):
    """The reply stops."""

    type: Literal["cancel"]


class Playout(Model):
    """The loudspeaker has played `audio_ms` ms of the reply `item_id`, and goes on (`playing`) or stands still."""

    type: Literal["playout"]
    item_id: str = Field(min_length=1, max_length=64)
    audio_ms: float = Field(ge=0, allow_inf_nan=False)
    playing: bool = True


Command = Annotated[Configure | Text | Commit | Clear | Cancel | Playout, Field(discriminator="type")]
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


class PlainProtocol:
    """One connection of the plain protocol."""

    def __init__(self, session: Session, voices: VoiceCatalogue) -> None:
        self._session = session
        self._voices = voices
        self._resampler = Resampler(RATE, RATE)

    def opened(self) -> list[Frame]:
        """`session`: its id and the audio formats."""
        audio = {"input_sample_rate": SAMPLE_RATE, "output_sample_rate": RATE, "encoding": "pcm_s16le", "channels": 1}
        return [_frame("session", session_id=self._session.id, audio=audio)]

    async def receive(self, frame: Frame) -> list[Frame]:
        """Takes audio or one command."""
        if isinstance(frame, bytes):
            return await self._receive_audio(frame)
        try:
            data = from_json(frame)
        except ValueError as problem:
            return [_error("invalid_json", f"expected one JSON object: {problem}")]
        try:
            command = _COMMAND.validate_python(data)
        except ValidationError as problem:
            fault = explain(problem, data)
            return [_error(fault.code, fault.message, fault.param)]
        return await self._obey(command)

    async def _receive_audio(self, pcm: bytes) -> list[Frame]:
        if len(pcm) % 2:
            return [_error("invalid_audio", f"expected whole 16-bit samples, got {len(pcm)} bytes", "audio")]
        if len(pcm) > MAX_APPEND_BYTES:
            message = f"expected at most {MAX_APPEND_BYTES >> 20} MiB a frame, got {len(pcm)} bytes"
            return [_error("audio_too_large", message, "audio")]
        await self._session.append_audio(pcm)
        return []

    async def _obey(self, command: Command) -> list[Frame]:
        match command:
            case Configure():
                return await self._configure(command)
            case Text(text=text):
                self._session.add_item(Item(new_id("item"), role=Role.USER, text=text))
                self._session.create_response(ReplyOverrides())
            case Commit():
                self._session.commit_audio()
            case Clear():
                self._session.clear_audio()
            case Cancel():
                self._session.cancel_response()
            case Playout(item_id=item_id, audio_ms=audio_ms, playing=playing):
                self._session.report_playout(item_id, audio_ms, playing=playing)
        return []

    async def _configure(self, wish: Configure) -> list[Frame]:
        config = self._session.config
        if wish.voice is not None:
            voice = updates.voice(wish.voice)
            if expected := await self._voices.expected_instead(voice):
                return [_error("invalid_value", f"voice: expected {expected}", "voice")]
            config = replace(config, voice=voice)
        if wish.instructions is not None:
            config = replace(config, instructions=wish.instructions)
        if wish.language is not None:
            config = replace(config, language=wish.language)
        if wish.detection is not None:
            config = replace(config, turn=replace(config.turn, detection=wish.detection))
        if "noise_reduction" in wish.model_fields_set:
            config = replace(config, noise_reduction=wish.noise_reduction)
        if wish.silence_ms is not None:
            endpointing = FixedSilence(wish.silence_ms / 1000)
            config = replace(config, turn=replace(config.turn, endpointing=endpointing))
        self._session.configure(config)
        return [_frame("configured")]

    def send(self, event: events.Event) -> list[Frame]:
        """The frames that tell of `event`."""
        match event:
            case events.SpeechBegan(_, offset_ms):
                return [_frame("speech_started", at_ms=offset_ms)]
            case events.SpeechEnded(_, offset_ms):
                return [_frame("speech_stopped", at_ms=offset_ms)]
            case events.PartialTranscript(_, stable, unstable):
                return [_frame("partial", stable=stable, unstable=unstable)]
            case events.UserTurn(item):
                return [_frame("transcript", item_id=item.id, text=item.text, language=item.language)]
            case events.ReplyBegan(response_id, item_id):
                return [_frame("reply_started", reply_id=response_id, item_id=item_id)]
            case events.ReplyText(response_id, _, text):
                return [_frame("reply_text", reply_id=response_id, text=text)]
            case events.ReplyAudio(_, _, pcm, rate):
                return self._audio(pcm, rate)
            case events.ReplyPaused(response_id):
                return [_frame("reply_paused", reply_id=response_id)]
            case events.ReplyResumed(response_id):
                return [_frame("reply_resumed", reply_id=response_id)]
            case events.ReplyDone():
                return self._done(event)
            case events.TurnMeasured(response_id, _, language, draft, marks):
                return [_frame("marks", reply_id=response_id, language=language, draft=draft, marks=marks)]
            case events.SessionError(code, message, stage):
                return [_error(code, message, stage=stage)]
            case events.ItemAdded() | events.IdleTimeout():
                return []

    def _audio(self, pcm: bytes, rate: int) -> list[Frame]:
        if rate != self._resampler.source_hz:
            self._resampler = Resampler(rate, RATE)
        resampled = self._resampler.push(pcm)
        return [resampled] if resampled else []

    def _done(self, done: events.ReplyDone) -> list[Frame]:
        rest = self._resampler.flush() if done.cancelled is None else b""
        self._resampler = Resampler(RATE, RATE)
        reason = done.cancelled.value if done.cancelled is not None else None
        status = "completed" if reason is None else "failed" if done.error is not None else "cancelled"
        ended = _frame("reply_done", reply_id=done.response_id, status=status, reason=reason, heard=done.item.text)
        return [rest, ended] if rest else [ended]


def _frame(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind} | fields, ensure_ascii=False)


def _error(code: str, message: str, field: str | None = None, stage: str | None = None) -> str:
    return _frame("error", code=code, message=message, field=field, stage=stage)
