import asyncio
import io
from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import pytest
from rich.console import Console

from client.dialogue import FreeTurns, talk_freely
from client.events import (
    AudioDelta,
    ErrorEvent,
    PlayoutPaused,
    PlayoutResumed,
    ReplyTranscriptDelta,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    TranscriptionCompleted,
    TurnMarks,
)
from client.microphone import PlaybackBuffer
from client.realtime import ConnectionLostError, RealtimeClient
from tests.support.audio import tone
from tests.support.realtime import Peer, scripted_server


class Listener:
    """A console whose text is kept, and turns that are shown on it, fed one event a second."""

    def __init__(self) -> None:
        self.playback = PlaybackBuffer()
        self._out = io.StringIO()
        self._turns = FreeTurns(Console(file=self._out, width=80), self.playback)
        self._now = 0.0

    def hear(self, *events: ServerEvent) -> str:
        """What is written because of `events`."""
        before = self._out.tell()
        for event in events:
            self._now += 1
            self._turns.received(event, self._now)
        return self._out.getvalue()[before:]


def test_a_turn_is_written_when_its_reply_ends() -> None:
    listener = Listener()
    assert not listener.hear(
        SpeechStarted("item_1", 0),
        TranscriptionCompleted("item_1", "Capital of France?"),
        ResponseCreated("r1"),
        AudioDelta("r1", tone(0.5)),
        ReplyTranscriptDelta("r1", "Paris."),
        TurnMarks("r1", "item_1", "en", "none", {"audio_sent": 812.0}),
    )
    written = listener.hear(ResponseDone("r1", "completed", "", {}))
    assert [line.rstrip() for line in written.split("\n")] == [
        "  understood  Capital of France?",
        "  answered    Paris.",
        "  in total    812 ms to the first audio · language en · reply 0.5 s, no gaps",
        "",
        "",
    ]


def test_replies_are_played_and_silenced_when_the_person_speaks() -> None:
    listener = Listener()
    listener.hear(SpeechStarted("item_1", 0), ResponseCreated("r1"), AudioDelta("r1", tone(0.5)))
    assert listener.playback.pull(480) == tone(0.5)[:480]
    listener.hear(SpeechStarted("item_3", 9_000))
    assert listener.playback.pull(480) == bytes(480)


def test_a_paused_reply_is_held_until_it_is_resumed_or_cancelled() -> None:
    listener = Listener()
    listener.hear(SpeechStarted("item_1", 0), ResponseCreated("r1"), AudioDelta("r1", tone(0.5), "item_2"))
    listener.hear(PlayoutPaused("r1", "item_2"))
    assert listener.playback.pull(480) == bytes(480)
    listener.hear(PlayoutResumed("r1", "item_2"))
    assert listener.playback.pull(480) == tone(0.5)[:480]
    listener.hear(PlayoutPaused("r1", "item_2"), ResponseDone("r1", "cancelled", "turn_detected", {}))
    listener.hear(AudioDelta("r2", tone(0.1), "item_4"))
    assert listener.playback.pull(480) == tone(0.1)[:480]


def test_an_interrupted_reply_is_written_before_the_next_turn() -> None:
    listener = Listener()
    written = listener.hear(
        SpeechStarted("item_1", 0),
        TranscriptionCompleted("item_1", "Tell me a story."),
        AudioDelta("r1", tone(0.5)),
        ReplyTranscriptDelta("r1", "Once upon a"),
        SpeechStarted("item_3", 9_000),
        ResponseDone("r1", "cancelled", "turn_detected", {}),
        TranscriptionCompleted("item_3", "Stop."),
    )
    assert "Tell me a story." in written
    assert "Once upon a" in written
    assert "Stop." not in written
    assert "Stop." in listener.hear(AudioDelta("r2", tone(0.1)), ResponseDone("r2", "completed", "", {}))


def test_a_question_with_a_pause_in_it_is_one_turn() -> None:
    listener = Listener()
    written = listener.hear(
        SpeechStarted("item_1", 0),
        TranscriptionCompleted("item_1", "What is"),
        ResponseCreated("r1"),
        SpeechStarted("item_3", 1_000),
        ResponseDone("r1", "cancelled", "turn_detected", {}),
        TranscriptionCompleted("item_3", "the capital?"),
        AudioDelta("r2", tone(0.1)),
        ReplyTranscriptDelta("r2", "Paris."),
        ResponseDone("r2", "completed", "", {}),
    )
    assert "What is the capital?" in written
    assert written.count("understood") == 1


def test_an_error_outside_any_turn_is_written() -> None:
    error = ErrorEvent("server_error", "stage_down", "the stt stage is down", None, None)
    assert Listener().hear(error) == "  error       stage_down: the stt stage is down\n"


class ScriptedDevices(ModuleType):
    """A sound system whose loudspeaker asks for 20 ms of audio when the test says so."""

    PortAudioError = OSError

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.play: Callable[[memoryview, int, object, object], None] = lambda *_: None

    def RawInputStream(self, **_: object) -> "nullcontext[SimpleNamespace]":
        return nullcontext(SimpleNamespace(latency=0.0))

    def RawOutputStream(
        self, callback: Callable[[memoryview, int, object, object], None], **_: object
    ) -> "nullcontext[SimpleNamespace]":
        self.play = callback
        return nullcontext(SimpleNamespace(latency=0.01))

    def play_block(self) -> bytes:
        """What the loudspeaker gets."""
        out = bytearray(960)
        self.play(memoryview(out), 480, None, None)
        return bytes(out)


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
        assert devices.play_block() == tone(1.0)[:960]
        await peer.send("voxfleet.playout.paused", response_id="resp_1", item_id="item_2")
        # 20 ms went to the device, which takes 10 ms to play them.
        await reported(peer, 10.0, playing=False)
        assert devices.play_block() == bytes(960)
        await peer.send("voxfleet.playout.resumed", response_id="resp_1", item_id="item_2")
        await reported(peer, 10.0, playing=True)
        await peer.connection.close(1001, "done")

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        with pytest.raises(ConnectionLostError, match="done"):
            await talk_freely(client, Console(file=io.StringIO()), devices)
