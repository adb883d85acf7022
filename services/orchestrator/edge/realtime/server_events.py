"""The session's events as the protocol's server events, in the documented order. Pure: one event in, messages out."""

import base64
import secrets
from dataclasses import dataclass, field

from chassis.errors import StageError
from services.orchestrator import events
from services.orchestrator.conversation import ItemKind
from services.orchestrator.edge.realtime import views
from services.orchestrator.edge.realtime.audio_formats import AudioFormat, Encoder
from services.orchestrator.edge.realtime.views import Json
from services.orchestrator.session_config import SessionConfig


@dataclass(slots=True)
class _Response:
    """A response that is not over: what was told of it. An item's place in `output` is its index."""

    began: events.ReplyBegan
    audio_format: AudioFormat
    text: str = ""
    encoder: Encoder | None = None
    output: list[str] = field(default_factory=list)

    @property
    def spoken(self) -> bool:
        return self.began.modality == "audio"

    def at(self, item_id: str) -> Json:
        """Where an item of it is."""
        return {"response_id": self.began.response_id, "output_index": self.output.index(item_id)}

    def part(self, item_id: str) -> Json:
        """Where the one content part of its message is."""
        return self.at(item_id) | {"item_id": item_id, "content_index": 0}


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
            case events.AudioUnderstood(item_id, index, text, seconds):
                return self._transcribed(item_id, index, text, seconds)
            case events.AudioNotUnderstood(item_id, index, failure):
                return [self._not_transcribed(item_id, index, failure)]
            case events.ReplyBegan():
                return self._began(event)
            case events.OutputBegan():
                return self._output_began(event)
            case events.ReplyText(response_id, item_id, text):
                return self._text(response_id, item_id, text)
            case events.ReplyAudio():
                return self._audio(event)
            case events.CallArguments(response_id, item_id, call_id, delta):
                place = self._responses[response_id].at(item_id) | {"item_id": item_id, "call_id": call_id}
                return [{"type": "response.function_call_arguments.delta", "delta": delta} | place]
            case events.OutputDone():
                return self._output_done(event)
            case events.ReplyDone():
                return self._done(event)
            case events.ReplyPaused(response_id, item_id):
                return self._playout("paused", response_id, item_id)
            case events.ReplyResumed(response_id, item_id):
                return self._playout("resumed", response_id, item_id)
            case events.TurnMeasured():
                return [_marks(event)] if self.extensions else []
            case events.IdleTimeout(item_id, start_ms, end_ms):
                times = {"audio_start_ms": start_ms, "audio_end_ms": end_ms}
                return [{"type": "input_audio_buffer.timeout_triggered", "item_id": item_id} | times]
            case events.SessionError(code, message, stage, cause, param):
                kind = "server_error" if stage else "invalid_request_error"
                return [error(message, code=code, kind=kind, param=param, event_id=cause)]

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
        if event.failure is not None:
            return [*messages, self._not_transcribed(item.id, 0, event.failure)]
        return messages + self._transcribed(item.id, 0, item.text, event.seconds)

    def _transcribed(self, item_id: str, index: int, text: str, seconds: float) -> list[Json]:
        if not self.transcribe:
            return []
        completed = {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": item_id,
            "content_index": index,
            "transcript": text,
            "usage": {"type": "duration", "seconds": seconds},
        }
        return [completed]

    def _not_transcribed(self, item_id: str, index: int, failure: StageError) -> Json:
        """Also a client that wants no transcripts must learn that what was said is lost."""
        code = failure.reason.lower()
        if not self.transcribe:
            return error(failure.message, code=code, kind="server_error")
        return {
            "type": "conversation.item.input_audio_transcription.failed",
            "item_id": item_id,
            "content_index": index,
            "error": {"type": "server_error", "code": code, "message": failure.message, "param": None},
        }

    # -- the reply -----------------------------------------------------------------------------------------------------

    def _began(self, event: events.ReplyBegan) -> list[Json]:
        named = self.audio_format if event.audio_format is None else AudioFormat(event.audio_format)
        self._responses[event.response_id] = _Response(event, named)
        created = views.response(event, None, named, self.conversation_id)
        # There are no rate limits, and clients wait for the event all the same.
        return [{"type": "response.created", "response": created}, {"type": "rate_limits.updated", "rate_limits": []}]

    def _output_began(self, event: events.OutputBegan) -> list[Json]:
        response, item = self._responses[event.response_id], event.item
        response.output.append(item.id)
        view = views.item(item)
        messages = [{"type": "response.output_item.added", "item": view} | response.at(item.id)]
        if event.place is not None:
            messages.append(_in_conversation("added", view, event.place))
        if item.kind is ItemKind.MESSAGE:
            part = views.content_part(response.began.modality, "")
            messages.append({"type": "response.content_part.added", "part": part} | response.part(item.id))
        return messages

    def _text(self, response_id: str, item_id: str, text: str) -> list[Json]:
        response = self._responses[response_id]
        response.text += text
        kind = "response.output_audio_transcript.delta" if response.spoken else "response.output_text.delta"
        return [{"type": kind, "delta": text} | response.part(item_id)]

    def _audio(self, event: events.ReplyAudio) -> list[Json]:
        response = self._responses[event.response_id]
        if response.encoder is None:
            response.encoder = Encoder(response.audio_format, event.rate)
        return _audio_delta(response, event.item_id, response.encoder.push(event.pcm))

    def _playout(self, what: str, response_id: str, item_id: str) -> list[Json]:
        if not self.extensions:
            return []
        return [{"type": f"voxfleet.playout.{what}", "response_id": response_id, "item_id": item_id}]

    def _output_done(self, event: events.OutputDone) -> list[Json]:
        response, item = self._responses[event.response_id], event.item
        view = views.item(item)
        if item.kind is ItemKind.MESSAGE:
            messages = self._message_done(response, event)
        else:
            said = {"arguments": item.arguments, "name": item.name, "call_id": item.call_id, "item_id": item.id}
            messages = [{"type": "response.function_call_arguments.done"} | said | response.at(item.id)]
        if event.place is not None:
            messages.append(_in_conversation("done", view, event.place))
        messages.append({"type": "response.output_item.done", "item": view} | response.at(item.id))
        return messages

    def _message_done(self, response: _Response, event: events.OutputDone) -> list[Json]:
        item_id, place = event.item.id, response.part(event.item.id)
        messages: list[Json] = []
        if response.spoken:
            if response.encoder is not None and not event.cut_off:
                messages += _audio_delta(response, item_id, response.encoder.flush())
            messages.append({"type": "response.output_audio.done"} | place)
            messages.append({"type": "response.output_audio_transcript.done", "transcript": response.text} | place)
        else:
            messages.append({"type": "response.output_text.done", "text": response.text} | place)
        part = views.content_part(response.began.modality, response.text)
        messages.append({"type": "response.content_part.done", "part": part} | place)
        return messages

    def _done(self, event: events.ReplyDone) -> list[Json]:
        response = self._responses.pop(event.response_id)
        done = views.response(response.began, event, response.audio_format, self.conversation_id)
        return [{"type": "response.done", "response": done}]


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


def _item_events(item: Json, previous: str | None) -> list[Json]:
    place = events.Place(previous)
    return [_in_conversation("added", item, place), _in_conversation("done", item, place)]


def _in_conversation(what: str, item: Json, place: events.Place) -> Json:
    return {"type": f"conversation.item.{what}", "previous_item_id": place.previous_item_id, "item": item}


def _audio_delta(response: _Response, item_id: str, audio: bytes) -> list[Json]:
    if not audio:
        return []
    delta = base64.b64encode(audio).decode("ascii")
    return [{"type": "response.output_audio.delta", "delta": delta} | response.part(item_id)]


def _marks(event: events.TurnMeasured) -> Json:
    return {
        "type": "voxfleet.turn.marks",
        "response_id": event.response_id,
        "user_item_id": event.user_item_id,
        "language": event.language,
        "draft": "kept" if event.draft else "none",
        "marks": event.marks,
    }
