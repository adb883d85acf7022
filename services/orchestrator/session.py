"""One session: carries what happens to the turn machine, and does what the machine says. Decides nothing itself."""

import asyncio
import time
from dataclasses import dataclass

from voxfleet.stt.v1 import stt_pb2

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.context import CallContext, current
from chassis.errors import StageError
from chassis.metrics import DRAFTS, FRAMES_DROPPED, SESSIONS, SESSIONS_ACTIVE
from services.orchestrator import events
from services.orchestrator import turn_events as turns
from services.orchestrator.clients import Stages
from services.orchestrator.conversation import Conversation, Item, Role
from services.orchestrator.detection import Detection
from services.orchestrator.marks import Mark, TurnMarks
from services.orchestrator.replies import Replies, new_id
from services.orchestrator.reply import ReplyRequest
from services.orchestrator.session_config import ReplyOverrides, SessionConfig, chat_config
from services.orchestrator.settings import Settings
from services.orchestrator.tape import Tape
from services.orchestrator.turn import Ear, Mouth, TurnMachine
from services.orchestrator.utterance import Utterance
from services.orchestrator.vad_input import VadInput

# Events that wait for the client. A client that reads nothing for so long is gone: its session is ended.
_MAX_EVENTS = 4_096
# Audio that a client may send ahead of what the VAD has taken, before it has to wait, and for how long it waits.
_MAX_AHEAD = 10 * SAMPLE_RATE
_MAX_WAIT_S = 5.0
_WAIT_S = 0.02


class SlowClientError(Exception):
    """The client does not read its events."""


class _Closed(Exception):  # noqa: N818  # not an error
    """Ends the session's task group."""


@dataclass(slots=True)
class _Speech:
    """One utterance: its task, and the item that it becomes."""

    utterance: Utterance
    task: asyncio.Task[None]
    item_id: str
    start: int
    flush: int = 0
    announced: bool = False
    ended: bool = False


class Session:
    """One conversation. `run` it as a task; feed it with the methods; read `next_event` until it is cancelled."""

    def __init__(self, stages: Stages, settings: Settings, config: SessionConfig) -> None:
        self.id = new_id("sess")
        self.config = config
        self.conversation = Conversation()
        self._stages = stages
        self._settings = settings
        self._context = CallContext(session_id=self.id)
        self._machine = TurnMachine(config.turn)
        self._tape = Tape()
        self._vad_input = VadInput(self._tape, config.noise_reduction)
        self._events: asyncio.Queue[events.Event] = asyncio.Queue(_MAX_EVENTS)
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._detection: Detection | None = None
        self._detection_task: asyncio.Task[None] | None = None
        self._speech: dict[int, _Speech] = {}
        self._replies = Replies(stages, settings, self.conversation, self._emit, self._dispatch)
        self._marks = TurnMarks()
        self._language = config.language
        self._overrides = ReplyOverrides()
        self._user_item_id = ""

    # -- for the client's protocol -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Lives until `close`. Raises SlowClientError where the client does not read."""
        current.set(self._context)
        SESSIONS_ACTIVE.inc()
        outcome = "failed"
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._watch_speech()
                await self._closing
                raise _Closed  # noqa: TRY301  # the way to end a task group from inside
        except* _Closed:
            outcome = "closed"
        finally:
            if self._timer is not None:
                self._timer.cancel()
            SESSIONS_ACTIVE.dec()
            SESSIONS.labels(outcome).inc()

    def close(self) -> None:
        """Ends the session; every stream of it is cancelled."""
        if not self._closing.done():
            self._closing.set_result(None)

    async def next_event(self) -> events.Event:
        """The next thing to tell the client."""
        return await self._events.get()

    async def append_audio(self, pcm: bytes) -> None:
        """Takes PCM s16le mono at 16 kHz, whole samples. Waits while too much of it has not been looked at."""
        step = SAMPLE_RATE * BYTES_PER_SAMPLE
        for start in range(0, len(pcm), step):
            await self._wait_for_room()
            piece, now = pcm[start : start + step], time.monotonic()
            self._tape.write(piece, now)
            await self._vad_input.write(piece, now)
            # Silence counts once the VAD could have heard that it was none.
            self._dispatch(turns.AudioAdvanced(self._vad_input.tape.end))

    def commit_audio(self) -> None:
        """The client says that the turn is over."""
        self._dispatch(turns.Commit(self._tape.end))

    def clear_audio(self) -> None:
        """The client throws away what was said and not committed."""
        self._dispatch(turns.Clear(self._tape.end))

    def create_response(self, overrides: ReplyOverrides) -> None:
        """The client asks for a reply."""
        self._overrides = overrides
        self._dispatch(turns.CreateResponse())
        if not self._machine.owes_reply:
            self._overrides = ReplyOverrides()

    def cancel_response(self) -> None:
        """The client stops the reply."""
        self._dispatch(turns.CancelResponse())

    def add_item(self, item: Item, after: str | None = None) -> None:
        """Adds the client's own item. Raises what `Conversation.add` raises."""
        previous = self.conversation.last_id if after is None else None if after == "root" else after
        self.conversation.add(item, after)
        self._emit(events.ItemAdded(item, previous))

    def truncate(self, item_id: str, audio_ms: int) -> Item:
        """Cuts a reply to what its first `audio_ms` ms say. Raises LookupError where it is no reply of late."""
        return self._replies.truncate(item_id, audio_ms)

    def report_playout(self, item_id: str, audio_ms: float, *, playing: bool) -> None:
        """The client's loudspeaker has played `audio_ms` ms of the reply `item_id`, and goes on or stands still.

        A report on anything but the reply that is being spoken says nothing new and is no error.
        """
        self._replies.report_playout(item_id, audio_ms, playing=playing)

    def configure(self, config: SessionConfig) -> None:
        """Goes on as `config` says."""
        before = self.config
        listens_anew = (config.threshold, config.vad_silence_ms) != (before.threshold, before.vad_silence_ms)
        self.config = config
        self._language = config.language or self._language
        now = time.monotonic()
        for action in self._machine.reconfigure(config.turn):
            self._do(action, now)
        self._schedule()
        if config.noise_reduction is not before.noise_reduction:
            listens_anew |= self._vad_input.switch(config.noise_reduction, now)
        if listens_anew and self._detection_task is not None:
            self._detection_task.cancel()
            self._watch_speech()
            if self._machine.ear is Ear.SPEECH and before.turn.detection and config.turn.detection:
                # The old stream will not say that this speech stopped; the new one says so where it goes on.
                end = self._vad_input.tape.end
                self._dispatch(turns.SpeechStopped(end, end, None))

    # -- what happens --------------------------------------------------------------------------------------------------

    def on_partial(self, utterance: int, stable: str, unstable: str) -> None:
        speech = self._speech[utterance]
        if speech.announced:
            self._emit(events.PartialTranscript(speech.item_id, stable, unstable))
        # The unstable end is worth its tokens: most of it stays, and only what changes is decoded again.
        self._replies.prefill(stable + unstable)
        self._dispatch(turns.Hypothesis(utterance, stable + unstable, self._replies.spoken_of_late()))

    def on_text(self, utterance: int, flush: int, text: str, language: str) -> None:
        if flush == self._speech[utterance].flush:
            self._marks.set(Mark.TRANSCRIPT, time.monotonic())
        spoken = self._replies.spoken_of_late()
        self._dispatch(turns.Transcript(utterance, flush, text, language, spoken, self._may_draft()))

    def on_transcription_failed(self, utterance: int, error: StageError) -> None:
        self._on_stage_error(error)
        self._dispatch(turns.TranscriptionFailed(utterance))

    def _on_stage_error(self, error: StageError) -> None:
        self._emit(events.SessionError(error.reason.lower(), error.message, error.stage))

    def _dispatch(self, event: turns.Event) -> None:
        now = time.monotonic()
        for action in self._machine.handle(event, now):
            self._do(action, now)
        self._schedule()

    def _schedule(self) -> None:
        wake_at = self._machine.wake_at
        if self._timer is not None:
            if self._timer.when() == wake_at:
                return
            self._timer.cancel()
            self._timer = None
        if wake_at is not None:
            self._timer = asyncio.get_running_loop().call_at(wake_at, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._dispatch(turns.Wake())

    def _emit(self, event: events.Event) -> None:
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            FRAMES_DROPPED.labels("orchestrator", "slow_client").inc()
            if not self._closing.done():
                self._closing.set_exception(SlowClientError(f"the client left {_MAX_EVENTS} events unread"))

    # -- what to do ----------------------------------------------------------------------------------------------------

    def _do(self, action: turns.Action, now: float) -> None:
        match action:
            case turns.OpenUtterance(number, start):
                self._open_utterance(number, start)
            case turns.FlushUtterance(number, flush, end):
                self._marks = TurnMarks()
                self._marks.set(Mark.FLUSH, now)
                speech = self._speech[number]
                speech.flush = flush
                speech.utterance.flush(flush, end)
            case turns.ContinueUtterance(number):
                self._speech[number].utterance.resume()
                self._prepare_reply()
            case turns.CloseUtterance(number):
                self._speech.pop(number).task.cancel()
                self._replies.forget_prepared()
            case turns.AnnounceSpeech(number, offset):
                speech = self._speech[number]
                speech.announced = True
                self._emit(events.SpeechBegan(speech.item_id, _ms(offset)))
            case turns.EndTurn(number, end):
                self._marks.set(Mark.ENDPOINT, now)
                self._end_speech(self._speech[number], end)
            case turns.CommitUser():
                self._commit_user(action)
            case turns.StartReply(turn, text, language):
                self._start_reply(turn, text, language)
            case turns.SkipDraft():
                DRAFTS.labels("skipped").inc()
            case turns.ReleaseReply(turn, draft):
                self._replies.release(turn, draft, self._user_item_id)
                self._user_item_id = ""
            case turns.CancelReply(turn, reason, error):
                self._replies.cancel(turn, reason, error)
                if reason is turns.CancelReason.INTERRUPTED:
                    self._prepare_reply()
            case turns.FinishReply(turn):
                self._replies.finish(turn)
            case turns.PauseReply(turn):
                self._replies.pause(turn)
            case turns.ResumeReply(turn):
                self._replies.resume(turn)
            case turns.AnnounceIdle():
                self._emit(events.IdleTimeout(new_id("item"), _ms(self._tape.end)))
            case turns.ReportError(code, message):
                self._emit(events.SessionError(code, message))

    def _watch_speech(self) -> None:
        assert self._tasks is not None
        self._detection = Detection(
            self._stages, self._vad_input.tape, self._context, self._dispatch, self._on_stage_error
        )
        self._detection_task = self._tasks.create_task(
            self._detection.run(self.config.threshold, self.config.vad_silence_ms)
        )

    def _open_utterance(self, number: int, start: int) -> None:
        assert self._tasks is not None
        utterance = Utterance(number, start, self._tape, self)
        context = self._context.for_turn(new_id("utt"))
        task = self._tasks.create_task(utterance.run(self._stages, context, self._transcription_config))
        self._speech[number] = _Speech(utterance, task, new_id("item"), start)
        self._prepare_reply()

    def _prepare_reply(self) -> None:
        """Warms the language model while the person speaks; not beside a reply whose end the history must know, nor
        where others need the room for their answers."""
        assert self._tasks is not None
        wanted = self.config.turn.create_response and self._machine.mouth is Mouth.SILENT
        if wanted and self._stages.has_room("llm"):
            config = chat_config(self.config, ReplyOverrides(), self.conversation.messages())
            self._replies.prepare(config, self._context.for_turn(new_id("turn")), self._tasks)

    def _may_draft(self) -> bool:
        return self._stages.has_room("llm") and (self.config.modality != "audio" or self._stages.has_room("tts"))

    def _transcription_config(self) -> stt_pb2.TranscribeConfig:
        return stt_pb2.TranscribeConfig(
            language=self.config.language,
            expected_language=self._language,
            partial_interval_ms=self._settings.partial_interval_ms,
            hint=self.config.hint,
        )

    def _end_speech(self, speech: _Speech, end: int) -> None:
        if speech.announced and not speech.ended:
            speech.ended = True
            self._emit(events.SpeechEnded(speech.item_id, _ms(end)))

    def _commit_user(self, action: turns.CommitUser) -> None:
        speech = self._speech[action.utterance]
        if not speech.announced:
            return
        self._end_speech(speech, action.end)
        self._marks.last_speech = self._tape.received_at(action.end)
        item = Item(speech.item_id, role=Role.USER, text=action.text, spoken=True, language=action.language)
        previous = self.conversation.last_id
        if action.text:
            self.conversation.add(item)
            self._user_item_id = item.id
        seconds = (action.end - speech.start) / SAMPLE_RATE
        self._emit(events.UserTurn(item, previous, round(max(0.0, seconds), 2)))

    def _start_reply(self, turn: int, text: str, language: str) -> None:
        assert self._tasks is not None
        self._language = language or self._language
        # A reply to the conversation alone is no part of the turn that somebody may be speaking.
        marks = self._marks if text else TurnMarks()
        config = chat_config(self.config, self._overrides, self.conversation.messages())
        request = ReplyRequest(
            turn,
            text,
            self._language,
            self._overrides.modality or self.config.modality,
            self.config.voice if self._overrides.voice is None else self._overrides.voice,
            self.config.speed if self._overrides.speed is None else self._overrides.speed,
        )
        self._overrides = ReplyOverrides()
        self._replies.start(request, config, marks, self._context.for_turn(new_id("turn")), self._tasks)

    async def _wait_for_room(self) -> None:
        """Slows down a client that sends faster than it is listened to; not for ever: a stage may be down."""
        waited_s = 0.0
        while self._detection is not None and self._tape.end - self._detection.position > _MAX_AHEAD:
            if waited_s >= _MAX_WAIT_S:
                return
            await asyncio.sleep(_WAIT_S)
            waited_s += _WAIT_S


def _ms(offset: int) -> int:
    return offset * 1000 // SAMPLE_RATE
