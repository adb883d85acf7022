"""A WebRTC client as a browser page would be one: a microphone, a loudspeaker, and the data channel `oai-events`."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import httpx
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from chassis.audio import SAMPLE_RATE, Int16
from services.orchestrator.edge.webrtc.tracks import Microphone

RATE = 48_000
FRAME = RATE // 50

Json = dict[str, Any]


def tone(seconds: float, rate: int = RATE, hertz: float = 200.0) -> bytes:
    """Something that is loud before and after Opus, which a constant is not."""
    time = np.arange(round(seconds * rate)) / rate
    samples: bytes = (8_000 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()
    return samples


class Mouth(MediaStreamTrack):
    """A microphone: what is said to it, 20 ms at a time, silence where nothing is."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.said = 0  # frames
        self._speech = bytearray()
        self._start: float | None = None
        self._quiet = asyncio.Event()

    def say(self, pcm: bytes) -> None:
        """Says PCM s16le mono at 48 kHz."""
        self._speech += pcm
        self._quiet.clear()

    async def finished(self) -> None:
        """Waits until all has been said."""
        await self._quiet.wait()

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        self._start = loop.time() if self._start is None else self._start
        await asyncio.sleep(max(0.0, self._start + self.said * FRAME / RATE - loop.time()))
        piece = bytes(self._speech[: 2 * FRAME])
        del self._speech[: 2 * FRAME]
        if not self._speech:
            self._quiet.set()
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(piece.ljust(2 * FRAME, b"\0"))
        frame.sample_rate = RATE
        frame.pts = self.said * FRAME
        frame.time_base = Fraction(1, RATE)
        self.said += 1
        return frame


@dataclass(slots=True)
class Caller:
    """One call from the client's side."""

    connection: RTCPeerConnection
    channel: RTCDataChannel | None
    mouth: Mouth
    answer: httpx.Response | None = None
    told: list[Json] = field(default_factory=list)
    """All events, in order."""
    heard: list[tuple[int, Int16]] = field(default_factory=list)
    """Frames of the reply track: position at 48 kHz, samples."""
    ear: bytearray = field(default_factory=bytearray)
    """The same over a network that loses packets, PCM s16le at 16 kHz: gaps are concealed, as by a browser."""
    patience_s: float = 20.0
    """Longest wait for an event, in seconds."""
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _read: int = 0

    @property
    def call_id(self) -> str:
        """The id that the answer gave the call."""
        assert self.answer is not None
        return self.answer.headers["location"].rpartition("/")[2]

    def send(self, **event: Any) -> None:
        """Sends one event."""
        self.send_raw(json.dumps(event))

    def send_raw(self, message: str | bytes) -> None:
        """Sends one message of the data channel."""
        assert self.channel is not None
        self.channel.send(message)

    async def next(self) -> Json:
        """The next event."""
        async with asyncio.timeout(self.patience_s):
            while self._read == len(self.told):
                self._told.clear()
                await self._told.wait()
        self._read += 1
        return self.told[self._read - 1]

    async def until(self, kind: str, test: Callable[[Json], bool] = lambda _: True) -> Json:
        """Reads until an event of a kind comes."""
        while True:
            event = await self.next()
            if event["type"] == kind and test(event):
                return event

    @property
    def kinds(self) -> list[str]:
        """The types of all events so far."""
        return [event["type"] for event in self.told]

    def say(self, seconds: float, quiet_seconds: float = 0.0) -> None:
        """Says something loud, then nothing."""
        self.mouth.say(tone(seconds) + bytes(2 * round(quiet_seconds * RATE)))

    @property
    def is_quiet(self) -> bool:
        """Whether the last half second of `ear` is silent: nothing is on its way any more."""
        latest = np.frombuffer(bytes(self.ear[-SAMPLE_RATE:]), "<i2").astype(int)
        return len(latest) == SAMPLE_RATE // 2 and np.abs(latest).max() < 100

    @property
    def loud_s(self) -> float:
        """Seconds of what was heard that were loud."""
        return sum(float(np.abs(samples).mean()) > 500 for _, samples in self.heard) * FRAME / RATE

    def lose(self, share: float, seed: int = 1) -> None:
        """Loses that share of the RTP packets from now on, both ways; each way by a series of its own.

        What comes is then heard by `ear`, because aiortc's receiver loses up to four more packets with each.
        """
        Microphone(self.ear.extend).listen(self.connection.getReceivers()[0])
        transport = self.connection.getSenders()[0].transport
        sending, receiving = random.Random(seed), random.Random(seed + 1)
        send, receive = transport._send_rtp, transport._handle_rtp_data

        async def lossy_send(data: bytes) -> None:
            is_report = 192 <= data[1] <= 223  # RTCP, RFC 5761
            if is_report or sending.random() >= share:
                await send(data)

        async def lossy_receive(data: bytes, arrival_time_ms: int) -> None:
            if receiving.random() >= share:
                await receive(data, arrival_time_ms)

        transport._send_rtp = lossy_send  # type: ignore[method-assign]
        transport._handle_rtp_data = lossy_receive  # type: ignore[method-assign]

    @property
    def buffer_kinds(self) -> list[str]:
        """What was told of the output buffer so far: started, stopped, cleared."""
        return [kind.rpartition(".")[2] for kind in self.kinds if kind.startswith("output_audio_buffer.")]

    async def hear_reply(self) -> str:
        """Asks for a reply at the beginning of a call and waits until it can be heard; its response id."""
        await self.until("session.created")
        self.send(type="response.create")
        response_id: str = (await self.until("output_audio_buffer.started"))["response_id"]
        return response_id

    async def hear_whole_reply(self) -> None:
        """Asks for a reply and waits until it has been played."""
        self.send(type="response.create")
        await self.until("output_audio_buffer.stopped")

    def _on_message(self, message: str) -> None:
        self.told.append(json.loads(message))
        self._told.set()


async def _hear(track: MediaStreamTrack, caller: Caller) -> None:
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        assert isinstance(frame, AudioFrame)
        assert frame.pts is not None
        samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
        caller.heard.append((frame.pts, samples.astype(np.int16)))


@asynccontextmanager
async def lifted(*, microphone: bool = True, channel: bool = True) -> AsyncIterator[Caller]:
    """A peer connection that has offered nothing yet."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    events = connection.createDataChannel("oai-events") if channel else None
    caller = Caller(connection, events, Mouth())
    if microphone:
        connection.addTrack(caller.mouth)
    else:
        connection.addTransceiver("audio", direction="recvonly")
    if events is not None:
        events.on("message", caller._on_message)
    listening: list[asyncio.Task[None]] = []
    connection.on("track", lambda track: listening.append(asyncio.create_task(_hear(track, caller))))
    try:
        yield caller
    finally:
        await connection.close()
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


async def offer(caller: Caller) -> str:
    """The caller's SDP."""
    await caller.connection.setLocalDescription(await caller.connection.createOffer())
    sdp: str = caller.connection.localDescription.sdp
    return sdp


async def post(address: str, sdp: str, path: str = "/v1/realtime/calls", **options: Any) -> httpx.Response:
    """Asks for a call, with the offer alone or, given `session`, in a form."""
    headers = options.pop("headers", {})
    session = options.pop("session", None)
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=20) as http:
        if session is None:
            return await http.post(path, content=sdp, headers={"Content-Type": "application/sdp"} | headers, **options)
        form = {"sdp": (None, sdp), "session": (None, json.dumps(session))}
        return await http.post(path, files=form, headers=headers, **options)


@asynccontextmanager
async def calling(address: str, path: str = "/v1/realtime/calls", **options: Any) -> AsyncIterator[Caller]:
    """A call that was answered; its first event is yet to be read. `edit` changes the offer on its way."""
    edit = options.pop("edit", str)
    microphone, channel = options.pop("microphone", True), options.pop("channel", True)
    async with lifted(microphone=microphone, channel=channel) as caller:
        caller.answer = await post(address, edit(await offer(caller)), path, **options)
        assert caller.answer.status_code == 201, caller.answer.text
        await caller.connection.setRemoteDescription(RTCSessionDescription(caller.answer.text, "answer"))
        yield caller
