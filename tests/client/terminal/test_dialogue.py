import asyncio
import io
import re

import pytest
from rich.console import Console

from client.errors import ConnectionLostError
from client.events import (
    AudioDelta,
    ErrorEvent,
    ItemDone,
    PlayoutPaused,
    PlayoutResumed,
    Reconnected,
    ReplyTranscriptDelta,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    SpeechStopped,
    TranscriptionCompleted,
    TurnMarks,
)
from client.items import Item
from client.realtime import RealtimeClient
from client.reconnecting import Reconnect
from client.sound.microphone import DeviceLostError, open_audio
from client.sound.playback import PlaybackBuffer
from client.terminal.dialogue import FreeTurns, talk_freely
from client.terminal.talk_view import State, Status, TalkView
from tests.support.audio import tone
from tests.support.realtime import Peer, scripted_server
from tests.support.sounddevice import FRAMES, ScriptedDevices

AT_ONCE = Reconnect(initial_s=0.01, jitter=0.0, give_up_after_s=2.0)


class Listener:
    """A console whose text is kept, and turns that are shown on it, fed one event a second."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.playback = PlaybackBuffer()
        self._out = io.StringIO()
        console = Console(file=self._out, width=90, height=40, force_terminal=terminal)
        self.view = TalkView(console, lambda: Status(self.turns.state))
        self.turns = FreeTurns(self.view, self.playback)
        self._now = 0.0

    def state(self) -> State:
        """What the bottom line says."""
        return self.turns.state

    def hear(self, *events: ServerEvent) -> str:
        """What is written because of `events`."""
        before = self._out.tell()
        for event in events:
            self._now += 1
            self.turns.received(event, self._now)
        return self._out.getvalue()[before:]


def test_a_turn_is_written_when_its_reply_ends() -> None:
    listener = Listener()
    assert not listener.hear(
        SpeechStarted("item_1", 0),
        TranscriptionCompleted("item_1", "Capital of France?"),
        ResponseCreated("r1"),
        AudioDelta("r1", tone(0.5)),
        ReplyTranscriptDelta("r1", "Paris."),
        TurnMarks("r1", "item_1", "en", "none", {"endpoint": 500.0, "audio_sent": 812.0}),
    )
    written = listener.hear(ResponseDone("r1", "completed", "", {}))
    lines = [line.rstrip() for line in written.split("\n")]
    assert lines[:2] == ["  you         Capital of France?", "  voxfleet    Paris."]
    assert "  end of turn  ████" in written
    assert "  in total    812 ms to the first audio · language en · reply 0.5 s, no gaps" in lines


def test_replies_are_played_and_silenced_when_the_person_speaks() -> None:
    listener = Listener()
    listener.hear(SpeechStarted("item_1", 0), ResponseCreated("r1"), AudioDelta("r1", tone(0.5)))
    assert listener.playback.pull(480, 0) == tone(0.5)[:480]
    listener.hear(SpeechStarted("item_3", 9_000))
    assert listener.playback.pull(480, 0) == bytes(480)


def test_a_paused_reply_is_held_until_it_is_resumed_or_cancelled() -> None:
    listener = Listener()
    listener.hear(SpeechStarted("item_1", 0), ResponseCreated("r1"), AudioDelta("r1", tone(0.5), "item_2"))
    listener.hear(PlayoutPaused("r1", "item_2"))
    assert listener.playback.pull(480, 0) == bytes(480)
    listener.hear(PlayoutResumed("r1", "item_2"))
    assert listener.playback.pull(480, 0) == tone(0.5)[:480]
    listener.hear(PlayoutPaused("r1", "item_2"), ResponseDone("r1", "cancelled", "turn_detected", {}))
    listener.hear(AudioDelta("r2", tone(0.1), "item_4"))
    assert listener.playback.pull(480, 0) == tone(0.1)[:480]


def interrupted() -> tuple[ServerEvent, ...]:
    """A reply that is spoken over, until the server tells what was heard of it."""
    return (
        SpeechStarted("item_1", 0),
        TranscriptionCompleted("item_1", "Tell me a story."),
        ResponseCreated("r1"),
        AudioDelta("r1", tone(0.5), "item_2"),
        ReplyTranscriptDelta("r1", "Once upon a time there was", "item_2"),
        SpeechStarted("item_3", 9_000),
        ItemDone(Item(id="item_2", type="message", role="assistant", text="Once upon a time")),
    )


def test_an_interrupted_reply_is_written_before_the_next_turn_its_cut_words_struck_through() -> None:
    listener = Listener(terminal=True)
    listener.hear(*interrupted())
    written = listener.hear(ResponseDone("r1", "cancelled", "turn_detected", {}))
    assert re.search(r"\x1b\[1mOnce upon a time\x1b\[0m\x1b\[2;9;31m there was\x1b\[0m", written)
    assert "the words struck through were not heard" in written
    assert listener.state() is State.HEARING


def test_the_words_of_the_next_turn_are_not_the_interrupted_ones() -> None:
    listener = Listener()
    written = listener.hear(
        *interrupted(),
        ResponseDone("r1", "cancelled", "turn_detected", {}),
        TranscriptionCompleted("item_3", "Stop."),
    )
    assert "Tell me a story." in written
    assert "Stop." not in written
    assert "Stop." in listener.hear(
        ResponseCreated("r2"), AudioDelta("r2", tone(0.1)), ResponseDone("r2", "completed", "", {})
    )


def test_a_question_with_a_pause_in_it_is_one_turn() -> None:
    listener = Listener()
    written = listener.hear(
        SpeechStarted("item_1", 0),
        TranscriptionCompleted("item_1", "What is"),
        ResponseCreated("r1"),
        SpeechStarted("item_3", 1_000),
        ResponseDone("r1", "cancelled", "turn_detected", {}),
        TranscriptionCompleted("item_3", "the capital?"),
        ResponseCreated("r2"),
        AudioDelta("r2", tone(0.1)),
        ReplyTranscriptDelta("r2", "Paris."),
        ResponseDone("r2", "completed", "", {}),
    )
    assert "What is the capital?" in written
    assert written.count("you ") == 1


def test_an_error_outside_any_turn_is_written() -> None:
    error = ErrorEvent("server_error", "stage_down", "the stt stage is down", None, None)
    assert Listener().hear(error) == "  error       stage_down: the stt stage is down\n"


def test_the_state_says_who_has_the_floor() -> None:
    listener = Listener()
    assert listener.state() is State.LISTENING
    listener.hear(SpeechStarted("item_1", 0))
    assert listener.state() is State.HEARING
    listener.hear(SpeechStopped("item_1", 900))
    assert listener.state() is State.THINKING
    listener.hear(ResponseCreated("r1"), AudioDelta("r1", tone(0.1), "item_2"))
    listener.turns.playing = True
    assert listener.state() is State.SPEAKING
    listener.hear(ResponseDone("r1", "completed", "", {}))
    listener.turns.playing = False
    assert listener.state() is State.LISTENING


def test_a_new_connection_is_told_and_silences_what_the_old_one_said() -> None:
    listener = Listener()
    listener.hear(SpeechStarted("item_1", 0), ResponseCreated("r1"), AudioDelta("r1", tone(0.5), "item_2"))
    written = listener.hear(Reconnected("the connection was lost", 1.25, 3, unanswered=True))
    assert "connection  the connection was lost; open again after 1.2 s, with 3 items" in " ".join(written.split("\n"))
    assert listener.playback.pull(480, 0) == bytes(480)
    assert listener.state() is State.THINKING


async def test_a_conversation_through_the_loudspeaker_reports_where_it_is() -> None:
    devices = ScriptedDevices()

    async def reported(peer: Peer, audio_ms: float, playing: bool) -> None:
        """Waits for such a report."""
        async with asyncio.timeout(5):
            wanted = ("voxfleet.playout.position", "item_2", audio_ms, playing)
            while tuple(map((await peer.receive()).get, ("type", "item_id", "audio_ms", "playing"))) != wanted:
                pass

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("voxfleet.turn.marks", response_id="resp_1", marks={})
        await peer.audio(tone(1.0))
        await reported(peer, 0.0, playing=True)
        devices.player.clock = 5.0
        assert devices.player.play(heard_in_s=0.01) == tone(1.0)[: 2 * FRAMES]
        devices.player.clock = 5.015
        await peer.send("voxfleet.playout.paused", response_id="resp_1", item_id="item_2")
        await reported(peer, 5.0, playing=False)
        assert devices.player.play() == bytes(2 * FRAMES)
        await peer.send("voxfleet.playout.resumed", response_id="resp_1", item_id="item_2")
        await reported(peer, 5.0, playing=True)
        await peer.connection.close(1001, "done")

    async with scripted_server(script) as url, open_audio(devices) as audio, RealtimeClient.connect(url) as client:
        with pytest.raises(ConnectionLostError, match="done"):
            await talk_freely(client, Console(file=io.StringIO()), audio)


async def test_a_device_that_goes_ends_the_conversation_with_its_name() -> None:
    devices = ScriptedDevices()

    async def script(peer: Peer) -> None:
        await peer.greet()
        devices.recorder.finish()
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, open_audio(devices) as audio, RealtimeClient.connect(url) as client:
        with pytest.raises(DeviceLostError, match="the microphone is gone: desk"):
            await talk_freely(client, Console(file=io.StringIO()), audio)


async def test_a_conversation_goes_on_after_the_server_went_and_asks_for_the_answer_that_is_due() -> None:
    connections = 0
    written = io.StringIO()

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.greet()
        if connections == 1:
            item = {"id": "item_1", "type": "message", "role": "user"}
            content = [{"type": "input_audio", "transcript": "Capital of France?"}]
            await peer.send("conversation.item.added", item=item | {"content": content})
            peer.connection.transport.abort()
            return
        created = await peer.receive()
        assert created["item"]["content"] == [{"type": "input_text", "text": "Capital of France?"}]
        await peer.send("conversation.item.done", item=created["item"])
        assert (await peer.receive())["type"] == "response.create"
        await peer.reply(tone(0.1), "Paris.")
        await peer.connection.close(1000, "enough")

    async with (
        scripted_server(script) as url,
        open_audio(ScriptedDevices()) as audio,
        RealtimeClient.connect(url, reconnect=AT_ONCE) as client,
    ):
        with pytest.raises(ConnectionLostError, match="enough"):
            await talk_freely(client, Console(file=written, width=90), audio)
    assert "with 1 items of the conversation" in " ".join(written.getvalue().split())
    assert "voxfleet    Paris." in written.getvalue()
