"""The session's events as the protocol's server events, in the documented order. Pure: one event in, messages out."""

import base64
import secrets
from dataclasses import dataclass, field

from services.orchestrator import events
from services.orchestrator.edge.realtime import views
from services.orchestrator.edge.realtime.audio_formats import AudioFormat, Encoder
from services.orchestrator.edge.realtime.views import Json
from services.orchestrator.session_config import SessionConfig


@dataclass(slots=True)
class _Response:
    item_id: str
    modality: str
    audio_format: AudioFormat
    text: str = ""
    encoder: Encoder | None = None


@dataclass(slots=True)
class ServerEvents:
    """One session's way out.

    `extensions` adds the `voxfleet.…` events; `transcribe` sends the person's words; `audio_format` is that of replies
    that begin from now on.
    """

    conversation_id: str
    extensions: bool = False
    transcribe: bool = True
    audio_format: AudioFormat = AudioFormat.PCM
    _responses: dict[str, _Response] = field(default_factory=dict)
    _stable: dict[str, str] = field(default_factory=dict)

    def of(self, event: events.Event, config: SessionConfig) -> list[Json]:
        """The messages that tell the client of `event`."""
        return [message | {"event_id": new_event_id()} for message in self._of(event, config)]

    def _of(self, event: events.Event, config: SessionConfig) -> list[Json]:
        match event:
            case events.SpeechBegan(item_id, offset_ms):
                began = {"type": "input_audio_buffer.speech_started", "audio_start_ms": offset_ms, "item_id": item_id}
                return [began] if config.turn.detection else []
            case events.SpeechEnded(item_id, offset_ms):
                ended = {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": offset_ms, "item_id": item_id}
                return [ended] if config.turn.detection else []
            case events.PartialTranscript():
                return self._partial(event)
            case events.UserTurn():
                return self._user_turn(event)
            case events.ItemAdded(item, previous):
                return _item_events(views.item(item), previous)
            case events.ReplyBegan():
                return self._began(event, config)
            case events.ReplyText(response_id, item_id, text):
                return self._text(response_id, item_id, text)
            case events.ReplyAudio():
                return self._audio(event)
            case events.ReplyDone():
                return self._done(event, config)
            case events.ReplyPaused(response_id, item_id):
                return self._playout("paused", response_id, item_id)
            case events.ReplyResumed(response_id, item_id):
                return self._playout("resumed", response_id, item_id)
            case events.TurnMeasured():
                return [_marks(event)] if self.extensions else []
            case events.IdleTimeout(item_id, offset_ms):
                times = {"audio_start_ms": offset_ms, "audio_end_ms": offset_ms}
                return [{"type": "input_audio_buffer.timeout_triggered", "item_id": item_id} | times]
            case events.SessionError(code, message, stage):
                return [error(message, code=code, kind="server_error" if stage else "invalid_request_error")]

    # -- the person ----------------------------------------------------------------------------------------------------

    def _partial(self, event: events.PartialTranscript) -> list[Json]:
        messages: list[Json] = []
        before = self._stable.get(event.item_id, "")
        if self.transcribe and event.stable.startswith(before) and len(event.stable) > len(before):
            self._stable[event.item_id] = event.stable
            messages.append(
                {
                    "type": "conversation.item.input_audio_transcription.delta",
                    "item_id": event.item_id,
                    "content_index": 0,
                    "delta": event.stable[len(before) :],
                }
            )
        if self.extensions:
            texts = {"stable": event.stable, "unstable": event.unstable}
            messages.append({"type": "voxfleet.transcript.partial", "item_id": event.item_id} | texts)
        return messages

    def _user_turn(self, event: events.UserTurn) -> list[Json]:
        item, previous = event.item, event.previous_item_id
        self._stable.pop(item.id, None)
        messages: list[Json] = [
            {"type": "input_audio_buffer.committed", "item_id": item.id, "previous_item_id": previous},
            *_item_events(views.item(item), previous),
        ]
        if self.transcribe:
            messages.append(
                {
                    "type": "conversation.item.input_audio_transcription.completed",
                    "item_id": item.id,
                    "content_index": 0,
                    "transcript": item.text,
                    "usage": {"type": "duration", "seconds": event.seconds},
                }
            )
        return messages

    # -- the reply -----------------------------------------------------------------------------------------------------

    def _began(self, event: events.ReplyBegan, config: SessionConfig) -> list[Json]:
        self._responses[event.response_id] = _Response(event.item_id, event.modality, self.audio_format)
        in_progress = {
            "id": event.item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        at = {"response_id": event.response_id, "output_index": 0}
        created = views.response(
            event.response_id,
            event.modality,
            status="in_progress",
            config=config,
            output_format=self.audio_format,
            done=None,
            conversation_id=self.conversation_id,
        )
        return [
            {"type": "response.created", "response": created},
            {"type": "response.output_item.added", "item": in_progress} | at,
            {"type": "conversation.item.added", "previous_item_id": event.previous_item_id, "item": in_progress},
            {"type": "response.content_part.added", "part": views.content_part(event.modality, "")}
            | _place(event.response_id, event.item_id),
        ]

    def _text(self, response_id: str, item_id: str, text: str) -> list[Json]:
        response = self._responses[response_id]
        response.text += text
        kind = (
            "response.output_audio_transcript.delta" if response.modality == "audio" else "response.output_text.delta"
        )
        return [{"type": kind, "delta": text} | _place(response_id, item_id)]

    def _audio(self, event: events.ReplyAudio) -> list[Json]:
        response = self._responses[event.response_id]
        if response.encoder is None:
            response.encoder = Encoder(response.audio_format, event.rate)
        return self._audio_delta(event.response_id, response, response.encoder.push(event.pcm))

    def _audio_delta(self, response_id: str, response: _Response, audio: bytes) -> list[Json]:
        if not audio:
            return []
        delta = base64.b64encode(audio).decode("ascii")
        return [{"type": "response.output_audio.delta", "delta": delta} | _place(response_id, response.item_id)]

    def _playout(self, what: str, response_id: str, item_id: str) -> list[Json]:
        if not self.extensions:
            return []
        return [{"type": f"voxfleet.playout.{what}", "response_id": response_id, "item_id": item_id}]

    def _done(self, event: events.ReplyDone, config: SessionConfig) -> list[Json]:
        response = self._responses.pop(event.response_id)
        place = _place(event.response_id, response.item_id)
        messages: list[Json] = []
        if response.modality == "audio":
            if response.encoder is not None and event.cancelled is None:
                messages += self._audio_delta(event.response_id, response, response.encoder.flush())
            messages.append({"type": "response.output_audio.done"} | place)
            messages.append({"type": "response.output_audio_transcript.done", "transcript": response.text} | place)
        else:
            messages.append({"type": "response.output_text.done", "text": response.text} | place)
        item = views.item(event.item)
        part = views.content_part(response.modality, response.text)
        at = {"response_id": event.response_id, "output_index": 0}
        messages += [
            {"type": "response.content_part.done", "part": part} | place,
            {"type": "conversation.item.done", "previous_item_id": None, "item": item},
            {"type": "response.output_item.done", "item": item} | at,
        ]
        for index, call in views.calls_of(event):
            messages += _call_events(event.response_id, index, call)
        done = views.response(
            event.response_id,
            response.modality,
            status=views.status(event),
            config=config,
            output_format=response.audio_format,
            done=event,
            conversation_id=self.conversation_id,
        )
        messages.append({"type": "response.done", "response": done})
        return messages


def new_event_id() -> str:
    """A new id for a server event."""
    return f"event_{secrets.token_hex(10)}"


def error(
    message: str,
    *,
    code: str,
    kind: str = "invalid_request_error",
    param: str | None = None,
    event_id: str | None = None,
) -> Json:
    """An `error` event. `event_id` is that of the client event at fault, `param` the field."""
    details = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
    return {"type": "error", "error": details}


def _place(response_id: str, item_id: str) -> Json:
    return {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}


def _item_events(item: Json, previous: str | None) -> list[Json]:
    return [
        {"type": "conversation.item.added", "previous_item_id": previous, "item": item},
        {"type": "conversation.item.done", "previous_item_id": previous, "item": item},
    ]


def _call_events(response_id: str, index: int, call: events.FunctionCall) -> list[Json]:
    item = views.item(call.item)
    at = {"response_id": response_id, "output_index": index}
    place = at | {"item_id": call.item.id, "call_id": call.item.call_id}
    return [
        {"type": "response.output_item.added", "item": item | {"status": "in_progress", "arguments": ""}} | at,
        {"type": "conversation.item.added", "previous_item_id": call.previous_item_id, "item": item},
        {"type": "response.function_call_arguments.delta", "delta": call.item.arguments} | place,
        {"type": "response.function_call_arguments.done", "arguments": call.item.arguments, "name": call.item.name}
        | place,
        {"type": "conversation.item.done", "previous_item_id": call.previous_item_id, "item": item},
        {"type": "response.output_item.done", "item": item} | at,
    ]


def _marks(event: events.TurnMeasured) -> Json:
    return {
        "type": "voxfleet.turn.marks",
        "response_id": event.response_id,
        "user_item_id": event.user_item_id,
        "language": event.language,
        "draft": "kept" if event.draft else "none",
        "marks": event.marks,
    }
