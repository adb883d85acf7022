"""The Realtime protocol over a peer connection: the events of the WebSocket, but audio by tracks.

Source: OpenAI's guide to the client and server events for audio in WebRTC. The server holds what the peer is to hear,
so it knows what was heard, cuts by itself, and says so with `output_audio_buffer.…`.
"""

import json
from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import ValidationError
from pydantic_core import from_json

from chassis.metrics import FRAMES_DROPPED
from chassis.resampling import Resampler
from services.orchestrator import events
from services.orchestrator.edge.connection import Frame as LinkFrame
from services.orchestrator.edge.realtime.client_events import Model
from services.orchestrator.edge.realtime.dialect import Dialect
from services.orchestrator.edge.realtime.protocol import RealtimeProtocol
from services.orchestrator.edge.realtime.server_events import error, new_event_id
from services.orchestrator.edge.realtime.views import Json
from services.orchestrator.edge.validation import explain
from services.orchestrator.edge.webrtc.opus import RATE
from services.orchestrator.edge.webrtc.playback import Frame, Playback, Position
from services.orchestrator.session import Session

# Frames of 20 ms between two reports of where the peer's playback is.
_REPORT_EVERY = 5
# Names the requests of this module in errors that nobody else is to see.
_CLEARING = "output_audio_buffer.clear"


class OutputAudioBufferClear(Model):
    """What is on its way to the peer's ear is thrown away."""

    type: Literal["output_audio_buffer.clear"]
    event_id: str | None = None


class CallProtocol:
    """One call: `realtime` speaks for all but the audio. `tell` sends an event to the peer at once; `speaks` says
    whether its audio comes by a track."""

    def __init__(
        self,
        session: Session,
        realtime: RealtimeProtocol,
        dialect: Dialect,
        *,
        tell: Callable[[str], None],
        speaks: bool,
    ) -> None:
        self._session = session
        self._realtime = realtime
        self._dialect = dialect
        self._tell = tell
        self._speaks = speaks
        self._playback = Playback()
        self._resamplers: dict[str, Resampler] = {}
        self._spoken: set[str] = set()
        self._cut: set[str] = set()
        self._cleared_at: dict[str, float] = {}
        self._paused: str | None = None
        self._frames = 0

    # -- what the peer hears -------------------------------------------------------------------------------------------

    def next_frame(self) -> Frame:
        """The 20 ms that are sent now."""
        if self._frames % _REPORT_EVERY == 0:
            self._report(self._playback.position)
        frame = self._playback.take()
        for response_id in frame.ended:
            self._tell_of("stopped", response_id)
        for response_id in frame.began:
            self._tell_of("started", response_id)
            self._frames = 0
        self._frames += 1
        return frame

    def _report(self, position: Position | None) -> None:
        if position is not None:
            self._session.report_playout(position.item_id, position.audio_ms, playing=position.playing)

    def _tell_of(self, what: str, response_id: str) -> None:
        for frame in self._told({"type": f"output_audio_buffer.{what}", "response_id": response_id}):
            self._tell(frame)

    # -- what the peer is told -----------------------------------------------------------------------------------------

    def opened(self) -> list[LinkFrame]:
        """`session.created`."""
        return self._realtime.opened()

    def send(self, event: events.Event) -> list[LinkFrame]:
        """The events that tell of `event`; audio goes to the track."""
        match event:
            case events.ReplyAudio():
                self._play(event)
                return []
            case events.ReplyPaused(response_id=response_id):
                self._paused = response_id
                self._playback.hold()
                self._report(self._playback.position)
            case events.ReplyResumed():
                self._go_on()
            case events.ReplyBegan(response_id=response_id, modality="audio"):
                self._spoken.add(response_id)
            case events.ReplyDone():
                return self._done(event)
            case events.SessionError(cause=cause) if cause == _CLEARING:
                return []  # the reply ended by itself in the meantime
            case _:
                pass
        return self._realtime.send(event)

    def _play(self, audio: events.ReplyAudio) -> None:
        if audio.response_id in self._cut:
            return
        resampler = self._resamplers.setdefault(audio.response_id, Resampler(audio.rate, RATE))
        if self._playback.append(audio.response_id, audio.item_id, resampler.push(audio.pcm)):
            FRAMES_DROPPED.labels("orchestrator", "webrtc_output").inc()

    def _go_on(self) -> None:
        self._paused = None
        self._playback.resume()

    def _done(self, done: events.ReplyDone) -> list[LinkFrame]:
        resampler = self._resamplers.pop(done.response_id, None)
        cleared: list[LinkFrame] = []
        if done.cancelled is not None:
            cleared = self._cleared(done.response_id)
        elif resampler is not None and done.response_id not in self._cut:
            self._playback.append(done.response_id, done.item.id, resampler.flush())
            self._playback.finish(done.response_id)
        self._spoken.discard(done.response_id)
        self._cut.discard(done.response_id)
        if done.response_id == self._paused:
            self._go_on()
        return cleared + self._realtime.send(done) + self._truncated(done)

    def _truncated(self, done: events.ReplyDone) -> list[LinkFrame]:
        """Where the server has cut the item, as it does where it knows what was heard."""
        cut_at = self._cleared_at.pop(done.response_id, None)
        if cut_at is None or done.item.id not in self._session.conversation:
            return []
        cut = {"item_id": done.item.id, "content_index": 0, "audio_end_ms": round(cut_at)}
        return list(self._told({"type": "conversation.item.truncated"} | cut))

    def _cleared(self, response_id: str) -> list[LinkFrame]:
        """Throws away what the peer has not heard of a reply, and says so where its beginning was heard."""
        cut_at = self._playback.clear(response_id)
        if cut_at is None:
            return []
        if response_id in self._spoken:
            self._cleared_at[response_id] = cut_at
        return list(self._told({"type": "output_audio_buffer.cleared", "response_id": response_id}))

    # -- what the peer says --------------------------------------------------------------------------------------------

    async def receive(self, frame: LinkFrame) -> list[LinkFrame]:
        """Takes one event, or audio of the microphone: PCM s16le mono at 16 kHz."""
        if isinstance(frame, bytes):
            await self._session.append_audio(frame)
            return []
        try:
            data = from_json(frame)
        except ValueError:
            return await self._realtime.receive(frame)
        match data:
            case {"type": "output_audio_buffer.clear"}:
                return self._clear(data)
            case {"type": "input_audio_buffer.append"} if self._speaks:
                message = "type: expected audio by the media track, which this call has"
                return self._refused(data, message, "audio_by_track", "type")
        return await self._realtime.receive(frame)

    def _clear(self, data: Json) -> list[LinkFrame]:
        try:
            OutputAudioBufferClear.model_validate(data)
        except ValidationError as problem:
            fault = explain(problem, data)
            return self._refused(data, fault.message, fault.code, fault.param)
        # Before the replies end: what was heard of them is what this says.
        self._report(self._playback.position)
        cleared = [frame for response_id in self._playback.responses for frame in self._cleared(response_id)]
        for response_id in self._spoken:
            self._cut.add(response_id)
            self._session.cancel_response(response_id, _CLEARING)
        return cleared

    def _refused(self, data: Json, message: str, code: str, param: str | None) -> list[LinkFrame]:
        event_id = data.get("event_id")
        known = event_id if isinstance(event_id, str) else None
        return list(self._told(error(message, code=code, param=param, event_id=known)))

    def _told(self, message: Json) -> Iterator[str]:
        told = self._dialect.tell(message | {"event_id": new_event_id()})
        if told is not None:
            yield json.dumps(told, ensure_ascii=False)
