"""Conversations as a terminal shows them: one question held to its end, or free speech through the microphone."""

import asyncio
from pathlib import Path
from types import ModuleType

from rich.console import Console

from client.events import (
    AudioDelta,
    ErrorEvent,
    PlayoutPaused,
    PlayoutResumed,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
)
from client.microphone import BlockQueue, PlaybackBuffer, open_audio
from client.position_reports import PositionReports
from client.realtime import ConnectionLostError, RealtimeClient, ask, one_error
from client.report import TurnView, print_error, print_latency, print_line, print_outcome, summary
from client.speech import write_wav
from client.turns import TurnRecorder


async def hold_turn(
    client: RealtimeClient, console: Console, *, asked: str, pcm: bytes, out: Path | None = None
) -> bool:
    """Asks one question (PCM s16le 24 kHz mono), shows the turn, saves the reply as the WAV file `out`.

    Returns whether the reply was heard. Raises RealtimeError where the turn does not come to its end.
    """
    with TurnView(console, asked) as view:
        turn = await ask(client, pcm, on_event=view.show)
    console.print()
    print_latency(console, turn)
    if out is not None and turn.reply_pcm:
        await asyncio.to_thread(write_wav, out, turn.reply_pcm)
        return print_outcome(console, turn, out)
    return print_outcome(console, turn, None)


async def talk_freely(client: RealtimeClient, console: Console, sounddevice: ModuleType) -> None:
    """Speaks with the person at this machine until cancelled; a person who begins to speak silences the loudspeaker.

    Raises SpeechError without a microphone, ConnectionLostError where the server closes.
    """
    microphone, playback = BlockQueue(asyncio.get_running_loop()), PlaybackBuffer()
    turns = FreeTurns(console, playback)
    reports = PositionReports(client, playback.position)
    with one_error():
        async with open_audio(sounddevice, microphone, playback), asyncio.TaskGroup() as group:
            print_line(console, "listening", "until Ctrl-C; headphones keep the replies out of the microphone\n")
            group.create_task(_send(client, microphone))
            group.create_task(reports.run())
            try:
                async for event in client:
                    turns.received(event, asyncio.get_running_loop().time())
                    if isinstance(event, PlayoutPaused | PlayoutResumed):
                        reports.now()
            finally:
                turns.close()
            raise ConnectionLostError(f"the server closed the connection ({client.close_reason})")


async def _send(client: RealtimeClient, microphone: BlockQueue) -> None:
    async for block in microphone:
        await client.send_audio(block)


class FreeTurns:
    """Turns that begin whenever the person does, each with a view of its own; replies go to `playback`."""

    def __init__(self, console: Console, playback: PlaybackBuffer) -> None:
        self._console = console
        self._playback = playback
        self._recorder = TurnRecorder()
        self._view: TurnView | None = None

    def received(self, event: ServerEvent, now: float) -> None:
        """Plays, records and shows one event that came at `now` (monotonic seconds)."""
        match event:
            case SpeechStarted():
                self._playback.flush()
                if self._view is None or self._recorder.answer:
                    self._begin()
            case AudioDelta(pcm=pcm, item_id=item_id):
                self._playback.push(pcm, item_id)
            case PlayoutPaused():
                self._playback.hold()
            case PlayoutResumed():
                self._playback.resume()
            case ResponseDone(status="cancelled"):
                self._playback.flush()
        self._recorder.received(event, now)
        if self._view is not None:
            self._view.show(event, self._recorder)
        elif isinstance(event, ErrorEvent):
            print_error(self._console, event)
        if self._recorder.finished:
            self.close()

    def close(self) -> None:
        """Ends the view of the turn in progress."""
        if self._view is not None:
            self._view.stop()
            self._view = None
            print_line(self._console, "in total", summary(self._recorder.turn()))
            self._console.print()
            self._recorder = TurnRecorder()

    def _begin(self) -> None:
        self.close()
        self._recorder = TurnRecorder()
        self._recorder.question_sent()
        self._view = TurnView(self._console)
        self._view.start()
