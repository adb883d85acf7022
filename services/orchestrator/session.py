"""One session: carries what happens to the turn machine, and does what the machine says. Decides nothing itself."""

import asyncio
import time
from collections.abc import Mapping

from voxfleet.stt.v1 import stt_pb2

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.context import CallContext, current
from chassis.errors import StageError
from chassis.metrics import DRAFTS, FRAMES_DROPPED, SESSIONS, SESSIONS_ACTIVE
from services.orchestrator import events
from services.orchestrator import turn_events as turns
from services.orchestrator.answering import Answering
from services.orchestrator.clients import Stages
from services.orchestrator.conversation import Conversation, Item
from services.orchestrator.detection import Detection
from services.orchestrator.ids import new_id
from services.orchestrator.listening import Listening
from services.orchestrator.out_of_band import OutOfBand
from services.orchestrator.recordings import Recordings
from services.orchestrator.replies import Replies
from services.orchestrator.session_config import ReplyOverrides, SessionConfig
from services.orchestrator.settings import Settings
from services.orchestrator.tape import Tape
from services.orchestrator.turn import Ear, TurnMachine
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
        self._listening = Listening(stages, self._tape, self.conversation, self._emit)
        self._replies = Replies(stages, settings, self.conversation, self._emit, self._dispatch)
        self._recordings = Recordings(stages, settings, self.conversation, self._emit)
        self._answering = Answering(
            stages,
            self._context,
            lambda: self.config,
            self.conversation,
            self._machine,
            self._replies,
            OutOfBand(stages, settings, self._emit),
            self._recordings,
            self._emit,
            self._ask,
        )
        self._cause: str | None = None

    # -- for the client's protocol -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Lives until `close`. Raises SlowClientError where the client does not read."""
        current.set(self._context)
        SESSIONS_ACTIVE.inc()
        outcome = "failed"
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = self._answering.tasks = tasks
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

    def commit_audio(self, cause: str | None = None) -> None:
        """The client says that the turn is over. `cause` is the client's name of the request, told back in errors."""
        self._ask(turns.Commit(self._tape.end), cause)

    def clear_audio(self) -> None:
        """The client throws away what was said and not committed."""
        self._dispatch(turns.Clear(self._tape.end))

    def create_response(self, overrides: ReplyOverrides, cause: str | None = None) -> None:
        """The client asks for a reply. It begins once all recordings that were added before are understood."""
        self._answering.create(overrides, cause)

    def cancel_response(self, response_id: str | None = None, cause: str | None = None) -> None:
        """The client stops a reply: the one of that id, or that of the conversation."""
        self._answering.cancel(response_id, cause)

    def add_item(self, item: Item, after: str | None = None, recordings: Mapping[int, bytes] | None = None) -> None:
        """Adds the client's own item. `recordings` is the audio of its parts by their number, PCM s16le mono at 16 kHz,
        at most `recording_room_s` of it. Raises what `Conversation.add` raises."""
        previous = self.conversation.last_id if after is None else None if after == "root" else after
        self.conversation.add(item, after)
        self._emit(events.ItemAdded(item, previous))
        if recordings:
            assert self._tasks is not None
            config = self._transcription_config()
            config.partial_interval_ms = 0
            self._recordings.add(item.id, recordings, config, self._context, self._tasks)

    @property
    def recording_room_s(self) -> float:
        """Seconds of recordings that may be added now."""
        return self._recordings.room_s

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
        self._answering.language = config.language or self._answering.language
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
        self._listening.tell_partial(utterance, stable, unstable)
        # The unstable end is worth its tokens: most of it stays, and only what changes is decoded again.
        self._replies.prefill(stable + unstable)
        self._dispatch(turns.Hypothesis(utterance, stable + unstable, self._replies.spoken_of_late()))

    def on_text(self, utterance: int, flush: int, text: str, language: str) -> None:
        self._listening.take_text(utterance, flush, time.monotonic())
        spoken = self._replies.spoken_of_late()
        self._dispatch(turns.Transcript(utterance, flush, text, language, spoken, self._answering.may_draft()))

    def on_transcription_failed(self, utterance: int, error: StageError) -> None:
        self._listening.fail(utterance, error)
        self._dispatch(turns.TranscriptionFailed(utterance))

    def _on_stage_error(self, error: StageError) -> None:
        self._emit(events.SessionError(error.reason.lower(), error.message, error.stage))

    def _ask(self, event: turns.Event, cause: str | None) -> None:
        """Dispatches what the client asked for; an error says so."""
        self._cause = cause
        try:
            self._dispatch(event)
        finally:
            self._cause = None

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
                self._listening.flush(number, flush, end, now)
            case turns.ContinueUtterance(number):
                self._listening.go_on(number)
                self._answering.prepare()
            case turns.CloseUtterance(number):
                self._listening.close(number)
                self._replies.forget_prepared()
            case turns.AnnounceSpeech(number, offset):
                self._listening.announce(number, offset)
            case turns.EndTurn(number, end):
                self._listening.end_turn(number, end, now)
            case turns.CommitUser():
                self._listening.commit(action)
            case turns.GiveUpText(number):
                self._listening.fail_late(number, self.config.turn.transcript_timeout_s)
            case turns.StartReply(turn, text, language):
                self._answering.start(turn, text, language, self._listening.marks)
            case turns.SkipDraft():
                DRAFTS.labels("skipped").inc()
            case turns.ReleaseReply(turn, draft):
                self._replies.release(turn, draft, self._listening.answerable)
                self._listening.answerable = ""
            case turns.CancelReply(turn, reason, error):
                self._replies.cancel(turn, reason, error)
                if reason is turns.CancelReason.INTERRUPTED:
                    self._answering.prepare()
            case turns.CallOffReply():
                self._answering.call_off()
            case turns.FinishReply(turn):
                self._replies.finish(turn)
            case turns.PauseReply(turn):
                self._replies.pause(turn)
            case turns.ResumeReply(turn):
                self._replies.resume(turn)
            case turns.AnnounceIdle():
                self._listening.commit_silence(int((self.config.turn.idle_timeout_s or 0.0) * SAMPLE_RATE))
            case turns.ReportError(code, message):
                self._emit(events.SessionError(code, message, cause=self._cause))

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
        self._listening.open(number, start, self, self._transcription_config, self._context, self._tasks)
        self._answering.prepare()

    def _transcription_config(self) -> stt_pb2.TranscribeConfig:
        return stt_pb2.TranscribeConfig(
            language=self.config.language,
            expected_language=self._answering.language,
            partial_interval_ms=self._settings.partial_interval_ms,
            hint=self.config.hint,
        )

    async def _wait_for_room(self) -> None:
        """Slows down a client that sends faster than it is listened to; not for ever: a stage may be down."""
        waited_s = 0.0
        while self._detection is not None and self._tape.end - self._detection.position > _MAX_AHEAD:
            if waited_s >= _MAX_WAIT_S:
                return
            await asyncio.sleep(_WAIT_S)
            waited_s += _WAIT_S
