"""The plain protocol of `/realtime`: binary PCM16 both ways, JSON text frames for everything else.

docs/protocols.md points to its description. What happens to the client's audio is decided in `intake`, whether the
client is still there in `keepalive`; this is what connects them to a session.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from pydantic import ValidationError
from pydantic_core import from_json

from chassis.audio import BYTES_PER_SAMPLE, ms_to_samples
from chassis.metrics import FRAMES_DROPPED
from services.orchestrator import events
from services.orchestrator.conversation import Item, Role
from services.orchestrator.edge.connection import Frame
from services.orchestrator.edge.plain import commands, messages
from services.orchestrator.edge.plain.framing import Framing
from services.orchestrator.edge.plain.input_queue import FRAME, MAX_COMMANDS, Command, TooManyCommandsError
from services.orchestrator.edge.plain.intake import AudioError, Dropped, Intake, Report
from services.orchestrator.edge.plain.keepalive import Keepalive
from services.orchestrator.edge.plain.reply_audio import ReplyAudio
from services.orchestrator.edge.realtime import updates
from services.orchestrator.edge.realtime.client_events import MAX_APPEND_BYTES
from services.orchestrator.edge.validation import explain
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.endpointing import FixedSilence, SemanticEndpointing
from services.orchestrator.ids import new_id
from services.orchestrator.session import Session
from services.orchestrator.session_config import ReplyOverrides
from services.orchestrator.settings import Settings


class PlainProtocol:
    """One connection of the plain protocol. `run` it for as long as the connection lives."""

    def __init__(self, session: Session, voices: VoiceCatalogue, settings: Settings, framing: Framing) -> None:
        self._session = session
        self._voices = voices
        self._settings = settings
        self._framing = framing
        self._intake = Intake(framing, settings.plain_queue_ms)
        # A frame of any size goes to the queue in pieces, so that the session can take some of it in between.
        self._piece = ms_to_samples(self._intake.window_ms) * BYTES_PER_SAMPLE
        self._input = asyncio.Event()
        self._told = asyncio.Event()
        self._teller_wakes_at = math.inf
        self._keepalive = Keepalive(settings.plain_ping_interval_s, time.monotonic())
        self._audio = ReplyAudio(framing)
        self._owes_reply = False

    def opened(self) -> list[Frame]:
        """`session`: its id, formats, limits and configuration."""
        session, window_ms = self._session, self._intake.window_ms
        return [messages.greeting(session.id, self._framing, window_ms, session.config, self._settings)]

    async def run(self, send: Callable[[Frame], Awaitable[None]]) -> None:
        """Hands audio to the session, reports on it and keeps the connection alive, until cancelled.

        Raises SilentPeerError where the client is gone.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed())
                tasks.create_task(self._tell(send))
        finally:
            _count(self._intake.reports(math.inf))

    async def receive(self, frame: Frame) -> list[Frame]:
        """Takes audio or one command; never waits for the session to take audio."""
        self._keepalive.heard()
        if isinstance(frame, bytes):
            return await self._receive_audio(frame)
        try:
            data = from_json(frame)
        except ValueError as problem:
            return [messages.error("invalid_json", f"expected one JSON object: {problem}")]
        try:
            message = commands.MESSAGE.validate_python(data)
        except ValidationError as problem:
            fault = explain(problem, data)
            return [messages.error(fault.code, fault.message, fault.param)]
        return await self._obey(message)

    def send(self, event: events.Event) -> list[Frame]:
        """The frames that tell of `event`."""
        match event:
            case events.UserTurn(item) if self._owes_reply:
                self._owes_reply = False
                if item.text:
                    self._session.create_response(ReplyOverrides())
            case events.ReplyBegan():
                self._audio.begin()
            case events.ReplyAudio(pcm=pcm, rate=rate):
                return [*self._audio.push(pcm, rate)]
            case events.ReplyDone(cancelled=None):
                return [*self._audio.finish(), *messages.of_event(event)]
        return [*messages.of_event(event)]

    # -- audio ---------------------------------------------------------------------------------------------------------

    async def _receive_audio(self, frame: bytes) -> list[Frame]:
        if len(frame) > MAX_APPEND_BYTES:
            message = f"expected at most {MAX_APPEND_BYTES >> 20} MiB a frame, got {len(frame)} bytes"
            return [messages.error("audio_too_large", message, "audio")]
        in_pieces = self._framing is Framing.RAW and len(frame) % BYTES_PER_SAMPLE == 0
        step = self._piece if in_pieces else len(frame) + 1
        try:
            for start in range(0, len(frame) + 1, step):
                self._intake.receive(frame[start : start + step], time.monotonic())
                self._wake()
                await self._let_session_take()
        except AudioError as problem:
            return [messages.error(problem.code, str(problem), "audio")]
        return []

    async def _let_session_take(self) -> None:
        """Gives a crowded queue the time to empty for as long as the session takes what it gets without waiting."""
        position = -1
        while self._intake.is_crowded and position != self._intake.position:
            position = self._intake.position
            await asyncio.sleep(0)

    def _command(self, command: Command) -> list[Frame]:
        try:
            self._intake.command(command, time.monotonic())
        except TooManyCommandsError:
            message = f"expected at most {MAX_COMMANDS} times commit or clear before the audio ahead of them is heard"
            return [messages.error("too_many_commands", message, "type")]
        self._wake()
        return []

    def _wake(self) -> None:
        self._input.set()
        self._wake_teller()

    def _wake_teller(self) -> None:
        report_at = self._intake.report_at
        if report_at is not None and report_at < self._teller_wakes_at:
            self._told.set()

    async def _feed(self) -> None:
        """Hands the session its audio and what is said about it, in order; waits where the session does."""
        while True:
            await self._input.wait()
            self._input.clear()
            while (work := self._intake.take()) is not None:
                match work:
                    case Command.COMMIT:
                        # With detection the session answers by itself.
                        self._owes_reply = not self._session.config.turn.detection
                        self._session.commit_audio()
                    case Command.CLEAR:
                        self._session.clear_audio()
                    case bytes():
                        await self._session.append_audio(work)
                self._intake.placed(time.monotonic())
                self._wake_teller()
                # Other sessions have their turn between two frames of a backlog.
                await asyncio.sleep(0)

    async def _tell(self, send: Callable[[Frame], Awaitable[None]]) -> None:
        """Sends reports and pings when they are due."""
        loop = asyncio.get_running_loop()
        while True:
            now = time.monotonic()
            reports = self._intake.reports(now)
            _count(reports)
            for report in reports:
                await send(messages.of_report(report, self._intake.window_ms))
            if (number := self._keepalive.poll(now)) is not None:
                await send(messages.frame("ping", id=str(number), sent_ms=round(now * 1000, 1)))
            report_at = self._intake.report_at
            self._teller_wakes_at = min(self._keepalive.wake_at, math.inf if report_at is None else report_at)
            timer = loop.call_later(self._teller_wakes_at - time.monotonic(), self._told.set)
            try:
                await self._told.wait()
            finally:
                timer.cancel()
            self._told.clear()

    # -- commands ------------------------------------------------------------------------------------------------------

    async def _obey(self, message: commands.Message) -> list[Frame]:
        match message:
            case commands.Configure():
                return await self._configure(message)
            case commands.Text(text=text):
                self._session.add_item(Item(new_id("item"), role=Role.USER, text=text))
                self._session.create_response(ReplyOverrides())
            case commands.Commit():
                return self._command(Command.COMMIT)
            case commands.Clear():
                return self._command(Command.CLEAR)
            case commands.Cancel():
                self._session.cancel_response()
            case commands.Playout(item_id=item_id, audio_ms=audio_ms, playing=playing):
                self._session.report_playout(item_id, audio_ms, playing=playing)
            case commands.Ping(id=number, sent_ms=sent_ms):
                return [messages.frame("pong", id=number, sent_ms=sent_ms)]
            case commands.Pong():
                pass
        return []

    async def _configure(self, wish: commands.Configure) -> list[Frame]:
        if wish.silence_ms is not None and wish.eagerness is not None:
            message = "eagerness: expected only one of eagerness and silence_ms: both say what ends a turn"
            return [messages.error("invalid_value", message, "eagerness")]
        voice = None if wish.voice is None else updates.voice(wish.voice)
        if voice is not None and (expected := await self._voices.expected_instead(voice)):
            return [messages.error("invalid_value", f"voice: expected {expected}", "voice")]
        # What the session is now, not what it was before the voices were asked for.
        config = self._session.config
        turn = config.turn
        if wish.detection is not None:
            turn = replace(turn, detection=wish.detection)
        if wish.silence_ms is not None:
            turn = replace(turn, endpointing=FixedSilence(wish.silence_ms / 1000))
        if wish.eagerness is not None:
            turn = replace(turn, endpointing=SemanticEndpointing(wish.eagerness))
        config = replace(
            config,
            instructions=config.instructions if wish.instructions is None else wish.instructions,
            voice=config.voice if voice is None else voice,
            speed=config.speed if wish.speed is None else wish.speed,
            language=config.language if wish.language is None else wish.language,
            hint=config.hint if wish.hint is None else wish.hint,
            noise_reduction=(
                wish.noise_reduction if "noise_reduction" in wish.model_fields_set else config.noise_reduction
            ),
            turn=turn,
        )
        self._owes_reply = self._owes_reply and not turn.detection
        self._session.configure(config)
        return [messages.frame("configured", config=messages.configuration(config))]


def _count(reports: Sequence[Report]) -> None:
    for report in reports:
        if isinstance(report, Dropped):
            FRAMES_DROPPED.labels("orchestrator", report.reason.value).inc(-(-report.samples // FRAME))
