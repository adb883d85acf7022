"""Conversations as a terminal shows them: one question held to its end, or free speech through the microphone."""

import asyncio
from pathlib import Path

from rich.console import Console

from client.errors import ConnectionLostError, one_error
from client.events import (
    AudioDelta,
    ErrorEvent,
    ItemDone,
    PlayoutPaused,
    PlayoutResumed,
    Reconnected,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    SpeechStopped,
)
from client.realtime import RealtimeClient
from client.sound.microphone import Audio
from client.sound.playback import PlaybackBuffer
from client.sound.position_reports import PositionReports
from client.sound.speech import write_wav
from client.speaking import ask
from client.terminal.keys import pressed_keys
from client.terminal.report import TurnView, error_line, labelled, print_latency, print_outcome
from client.terminal.shown_turn import ShownTurn
from client.terminal.talk_view import State, Status, TalkView

_REDRAW_S = 0.08


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


async def talk_freely(client: RealtimeClient, console: Console, audio: Audio) -> None:
    """Speaks with the person at this machine until `q` is pressed or it is cancelled.

    A person who begins to speak silences the loudspeaker. Raises DeviceLostError where a device goes away,
    ConnectionLostError where the connection ends for good.
    """
    microphone, playback = audio.microphone, audio.playback

    def status() -> Status:
        notes = []
        if microphone.overflows:
            notes.append(f"overflows: {microphone.overflows}")
        if playback.underflows:
            notes.append(f"underflows: {playback.underflows}")
        if microphone.dropped_s or client.lost_audio_s:
            notes.append(f"not sent: {microphone.dropped_s + client.lost_audio_s:.1f} s")
        state = turns.state if client.online else State.RECONNECTING
        return Status(state, microphone.peak, microphone.muted, tuple(notes))

    view = TalkView(console, status)
    turns = FreeTurns(view, playback)
    reports = PositionReports(client, audio.position)
    quit_pressed = asyncio.Event()

    def mute() -> None:
        microphone.muted = not microphone.muted
        view.draw()

    async def listen() -> None:
        async for event in client:
            turns.received(event, asyncio.get_running_loop().time())
            if isinstance(event, PlayoutPaused | PlayoutResumed):
                reports.now()
            if isinstance(event, Reconnected) and event.unanswered:
                await client.respond()
        raise ConnectionLostError(f"the server closed the connection ({client.close_reason})")

    async def redraw() -> None:
        while True:
            turns.playing = audio.position() is not None
            view.draw()
            await asyncio.sleep(_REDRAW_S)

    with one_error(), pressed_keys({"m": mute, "q": quit_pressed.set}) as view.keys:
        for label, text in (("microphone", audio.input), ("loudspeaker", audio.output)):
            console.print(labelled(label, text), soft_wrap=True)
        how = "q or Ctrl-C" if view.keys else "Ctrl-C"
        console.print(labelled("listening", f"until {how}; headphones keep the replies out of the microphone\n"))
        view.start()
        try:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(work)
                    for work in (_send(client, audio), reports.run(), audio.watch(), listen(), redraw())
                ]
                await quit_pressed.wait()
                for task in running:
                    task.cancel()
        finally:
            turns.close()
            view.stop()


async def _send(client: RealtimeClient, audio: Audio) -> None:
    async for block in audio.microphone:
        await client.send_audio(block)


class FreeTurns:
    """Turns that begin whenever the person does; replies go to `playback`, words to `view`."""

    def __init__(self, view: TalkView, playback: PlaybackBuffer) -> None:
        self._view = view
        self._playback = playback
        self._turn: ShownTurn | None = None
        self._interrupted: ShownTurn | None = None
        self._hearing = False
        self._thinking = False
        self.playing = False
        """Whether the loudspeaker has something left to play."""

    @property
    def state(self) -> State:
        """What happens now."""
        if self._hearing:
            return State.HEARING
        if self.playing:
            return State.SPEAKING
        return State.THINKING if self._thinking else State.LISTENING

    def received(self, event: ServerEvent, now: float) -> None:
        """Plays, records and shows one event that came at `now` (monotonic seconds)."""
        match event:
            case SpeechStarted():
                self._playback.flush()
                self._hearing = True
                if self._turn is None or self._turn.answered:
                    self._begin()
            case SpeechStopped():
                self._hearing, self._thinking = False, True
            case ResponseCreated() if self._turn is None:
                self._turn = ShownTurn()
            case AudioDelta(pcm=pcm, item_id=item_id):
                self._thinking = False
                self._playback.push(pcm, item_id)
            case PlayoutPaused():
                self._playback.hold()
            case PlayoutResumed():
                self._playback.resume()
            case ResponseDone(status="cancelled"):
                self._playback.flush()
            case ResponseDone():
                self._thinking = False
            case Reconnected(reason, after_s):
                self._playback.flush()
                self.close()
                self._hearing, self._thinking = False, event.unanswered
                said = f"{reason}; open again after {after_s:.1f} s, with {event.items} items of the conversation"
                self._view.tell(labelled("connection", said, style="yellow"))
            case ErrorEvent() if self._turn is None:
                self._view.tell(error_line(event))
        for turn in self._concerned(event):
            turn.received(event, now)
            if turn.over:
                self._finish(turn)
        self._view.show(*filter(None, (self._interrupted, self._turn)))

    def close(self) -> None:
        """Ends the turns in progress."""
        for turn in (self._interrupted, self._turn):
            if turn is not None:
                self._finish(turn)

    def _begin(self) -> None:
        if self._interrupted is not None:
            self._finish(self._interrupted)
        if self._turn is not None:
            # How much of its reply was heard is told in a moment.
            self._turn.spoken_over = True
            self._interrupted = self._turn
        self._turn = ShownTurn()

    def _finish(self, turn: ShownTurn) -> None:
        if turn is self._interrupted:
            self._interrupted = None
        else:
            self._turn = None
        self._view.finish(turn)

    def _concerned(self, event: ServerEvent) -> list[ShownTurn]:
        """The turns that an event is about."""
        response_id = getattr(event, "response_id", None)
        if self._interrupted is not None and response_id in self._interrupted.response_ids:
            return [self._interrupted]
        if self._interrupted is not None and isinstance(event, ItemDone):
            # An item is known to the turn whose words it has.
            return [turn for turn in (self._interrupted, self._turn) if turn is not None]
        return [self._turn] if self._turn is not None else []
