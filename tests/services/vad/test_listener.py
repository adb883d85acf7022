"""From the audio of one stream to its events, with an engine whose opinion is the loudness of the frame."""

from collections.abc import AsyncIterator, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.vad.config import StreamConfig
from services.vad.gate import SpeechStarted, SpeechStopped
from services.vad.listener import Event, FrameJudged, Listener, TurnPaused
from services.vad.turn_audio import LEAD, TurnAudio

FRAME = 100


class Loudness:
    """A session that takes the mean level of a frame for its speech probability."""

    async def judge(self, frames: Sequence[bytes]) -> Sequence[float]:
        assert all(len(frame) == 2 * FRAME for frame in frames)
        return [float(np.frombuffer(frame, "<i2").mean() / 1_000) for frame in frames]

    def close(self) -> None:
        """Nothing to free."""


def pcm(*levels: tuple[float, int]) -> bytes:
    """Stretches of (probability, samples)."""
    return b"".join(np.full(samples, level * 1_000, "<i2").tobytes() for level, samples in levels)


async def listen(
    pieces: Sequence[bytes], *, frame_probabilities: bool = False, turn_audio: TurnAudio | None = None
) -> list[Event]:
    config = StreamConfig(0, 0.5, min_speech=200, stop_silence=300, frame_probabilities=frame_probabilities)

    async def audio() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    listener = Listener(config, Loudness(), FRAME, turn_audio)
    return [event async for event in listener.listen(audio())]


async def test_a_stretch_of_speech_starts_and_stops() -> None:
    events = await listen([pcm((0, 500), (1, 400), (0, 500))])
    assert events == [SpeechStarted(500, 700), TurnPaused(SpeechStopped(900, 1_200), b"")]


async def test_the_incomplete_last_frame_is_judged_and_ends_with_the_audio() -> None:
    # Frame 3 is only 60 samples of sound, judged as 0.6; the audio ends at 360.
    events = await listen([pcm((0, 100), (1, 260))], frame_probabilities=True)
    assert events == [
        FrameJudged(0, 0.0),
        FrameJudged(100, 1.0),
        FrameJudged(200, 1.0),
        SpeechStarted(100, 300),
        FrameJudged(300, 0.6),
        TurnPaused(SpeechStopped(360, 360), b""),
    ]


async def test_no_audio_has_no_events() -> None:
    assert await listen([]) == []
    assert await listen([b"", b""]) == []


async def test_a_pause_carries_the_turn_up_to_its_decision() -> None:
    audio = pcm((0, 500), (1, 400), (0, 10_000))
    turn_audio = TurnAudio(capacity=700, turn_gap=10_000)
    events = await listen([audio], turn_audio=turn_audio)
    # All of it came in one message, but the model hears nothing after the decision at 1200.
    assert events[-1] == TurnPaused(SpeechStopped(900, 1_200), audio[2 * 500 : 2 * 1_200])


async def test_a_pause_carries_the_turn_from_shortly_before_its_first_speech() -> None:
    audio = pcm((0, 10_000), (1, 400), (0, 1_000), (1, 400), (0, 30_000), (1, 400), (0, 1_000))
    events = await listen([audio], turn_audio=TurnAudio(capacity=100_000, turn_gap=20_000))
    turns = [event.turn for event in events if isinstance(event, TurnPaused)]
    # The second stretch of speech, 1000 samples later, continues the turn; the third, 30000 later, is a new one.
    assert turns == [
        audio[2 * (10_000 - LEAD) : 2 * 10_700],
        audio[2 * (10_000 - LEAD) : 2 * 12_100],
        audio[2 * (41_800 - LEAD) : 2 * 42_500],
    ]


stretches = st.lists(st.tuples(st.sampled_from([0.0, 0.4, 0.6, 1.0]), st.integers(1, 700)), max_size=12)


@given(stretches, st.lists(st.integers(0, 900), max_size=20))
async def test_how_the_audio_is_cut_into_messages_changes_nothing(
    levels: list[tuple[float, int]], cuts: list[int]
) -> None:
    audio = pcm(*levels)
    pieces, at = [], 0
    for samples in cuts:
        pieces.append(audio[at : at + 2 * samples])
        at += 2 * samples
    pieces.append(audio[at:])
    cut = await listen(pieces, frame_probabilities=True, turn_audio=TurnAudio(500, 200))
    whole = await listen([audio], frame_probabilities=True, turn_audio=TurnAudio(500, 200))
    assert cut == whole
