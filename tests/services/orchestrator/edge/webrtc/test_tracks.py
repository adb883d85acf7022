"""The ends of a call's audio, without a network. Packets are 20 ms: 960 units of the clock, 320 samples at 16 kHz."""

import asyncio

import numpy as np
import pytest
from aiortc import RTCRtpReceiver

from chassis.metrics import FRAMES_DROPPED
from services.orchestrator.edge.webrtc.jitter import Packet
from services.orchestrator.edge.webrtc.opus import FRAME, Encoder
from services.orchestrator.edge.webrtc.playback import Frame
from services.orchestrator.edge.webrtc.tracks import Microphone, ReplyTrack
from tests.services.orchestrator.edge.webrtc.caller import tone
from tests.support.fleets import eventually
from tests.support.metrics import value_of

SOURCE = 7


class Ear:
    """A microphone's audio as it is told."""

    def __init__(self) -> None:
        self.pcm = b""
        self.microphone = Microphone(self._hear)

    @property
    def samples(self) -> int:
        """Samples told so far."""
        return len(self.pcm) // 2

    def _hear(self, pcm: bytes) -> None:
        self.pcm += pcm


def packets(count: int) -> list[Packet]:
    """A tone."""
    encoder, pcm = Encoder(), tone(count / 50)
    pieces = [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm), 2 * FRAME)]
    return [Packet(number, 1_000 + number * FRAME, encoder.encode(piece)) for number, piece in enumerate(pieces)]


@pytest.mark.parametrize("lost", [(), (5,), (5, 6), (5, 7), (5, 6, 7, 8, 20), (40,)])
async def test_what_is_lost_is_as_long_as_what_would_have_come(lost: tuple[int, ...]) -> None:
    ear = Ear()
    for number, packet in enumerate(packets(50)):
        if number not in lost:
            ear.microphone.push(packet, SOURCE)
    assert ear.samples == 50 * 320
    ear.microphone.close()


async def test_packets_that_changed_places_sound_as_if_they_had_not() -> None:
    straight, crossed, sent = Ear(), Ear(), packets(30)
    for packet in sent:
        straight.microphone.push(packet, SOURCE)
    sent[10], sent[11] = sent[11], sent[10]
    for packet in sent:
        crossed.microphone.push(packet, SOURCE)
    assert crossed.pcm == straight.pcm


async def test_a_single_gap_is_not_heard_as_one() -> None:
    ear = Ear()
    for number, packet in enumerate(packets(50)):
        if number != 25:
            ear.microphone.push(packet, SOURCE)
    levels = [np.abs(part).mean() for part in np.array_split(np.frombuffer(ear.pcm, "<i2").astype(float), 100)]
    assert min(levels[10:]) > 0.5 * float(np.median(levels))


async def test_the_last_packets_behind_a_gap_are_told_when_no_other_comes() -> None:
    ear, sent = Ear(), packets(10)
    for number in (0, 1, 3):
        ear.microphone.push(sent[number], SOURCE)
    assert ear.samples == 2 * 320
    await eventually(lambda: ear.samples == 4 * 320)


async def test_a_microphone_that_is_closed_tells_nothing_more() -> None:
    ear, sent = Ear(), packets(10)
    for number in (0, 2):
        ear.microphone.push(sent[number], SOURCE)
    ear.microphone.close()
    await asyncio.sleep(0.15)
    assert ear.samples == 320


async def test_late_packets_are_counted_and_damaged_ones_filled() -> None:
    before = value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="webrtc_late")
    ear, sent = Ear(), packets(10)
    for number in (0, 2, 3, 4, 1):
        ear.microphone.push(sent[number], SOURCE)
    assert value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="webrtc_late") == before + 1
    ear.microphone.push(Packet(5, sent[5].timestamp, b"\xff\xff\x01"), SOURCE)
    ear.microphone.push(sent[6], SOURCE)
    assert ear.samples == 7 * 320


async def test_another_source_begins_anew() -> None:
    ear, sent = Ear(), packets(10)
    ear.microphone.push(sent[9], SOURCE)
    ear.microphone.push(sent[0], SOURCE + 1)
    ear.microphone.push(sent[1], SOURCE + 1)
    assert ear.samples == 3 * 320


def test_a_receiver_of_another_make_is_refused() -> None:
    class Other:
        """Not aiortc's."""

    with pytest.raises(RuntimeError, match="jitter_buffer"):
        Microphone(lambda _: None).listen(Other())  # type: ignore[arg-type]


def test_the_receivers_of_this_aiortc_can_be_tapped() -> None:
    assert "_RTCRtpReceiver__jitter_buffer" in RTCRtpReceiver.__init__.__code__.co_names


async def test_the_track_goes_on_from_now_where_the_loop_was_late() -> None:
    track = ReplyTrack(lambda: Frame(None))
    first = await track.recv()
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.3)
    began = loop.time()
    later = [await track.recv() for _ in range(3)]
    # Nothing is sent all at once: the second and third still wait for their time.
    assert loop.time() - began > 0.03
    assert [packet.pts for packet in (first, *later)] == [0, 960, 1920, 2880]
