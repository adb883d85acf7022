"""Opus packets and back."""

import numpy as np
import pytest

from services.orchestrator.edge.webrtc.opus import FRAME, DamagedPacketError, Decoder, Encoder
from tests.services.orchestrator.edge.webrtc.caller import tone


def test_what_is_encoded_is_decoded_frame_by_frame() -> None:
    encoder, decoder = Encoder(), Decoder()
    pcm = tone(1.0)
    pieces = [decoder.decode(encoder.encode(pcm[at : at + 2 * FRAME])) for at in range(0, len(pcm), 2 * FRAME)]
    assert {len(piece) for piece in pieces} == {2 * FRAME}
    heard = np.frombuffer(b"".join(pieces[5:]), "<i2").astype(float)
    assert np.sqrt((heard**2).mean()) == pytest.approx(8_000 / np.sqrt(2), rel=0.1)


def test_silence_that_lasts_is_the_same_packet_and_speech_after_it_is_heard() -> None:
    encoder, decoder = Encoder(), Decoder()
    silent = [encoder.encode(None) for _ in range(60)]
    assert len({id(packet) for packet in silent[30:]}) == 1
    for packet in silent:
        assert max(np.abs(np.frombuffer(decoder.decode(packet), "<i2").astype(int))) < 10
    pcm = tone(0.2)
    heard = [decoder.decode(encoder.encode(pcm[at : at + 2 * FRAME])) for at in range(0, len(pcm), 2 * FRAME)]
    assert np.abs(np.frombuffer(heard[-1], "<i2").astype(int)).mean() > 3_000


def test_a_damaged_packet_is_an_error_and_the_next_is_decoded() -> None:
    encoder, decoder = Encoder(), Decoder()
    with pytest.raises(DamagedPacketError):
        decoder.decode(b"\xff\xff\x01")
    assert len(decoder.decode(encoder.encode(None))) == 2 * FRAME
