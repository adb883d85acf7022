"""One stream's audio to its events."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass

from chassis.audio import BYTES_PER_SAMPLE, Framer, ms_to_samples
from services.vad.config import StreamConfig
from services.vad.engines.base import Session
from services.vad.gate import SpeechEvent, SpeechGate, SpeechStarted, SpeechStopped
from services.vad.turn_audio import TurnAudio


@dataclass(frozen=True, slots=True)
class FrameJudged:
    """The speech probability of the frame that begins at sample `offset`."""

    offset: int
    probability: float


@dataclass(frozen=True, slots=True)
class TurnPaused:
    """The speech stopped; `turn` is what the end-of-turn engine hears, PCM s16le (empty where none listens)."""

    stopped: SpeechStopped
    turn: bytes


@dataclass(frozen=True, slots=True)
class TurnFading:
    """The speech may be about to stop; `turn` is what the end-of-turn engine hears so far, PCM s16le."""

    turn: bytes


Event = SpeechStarted | TurnFading | TurnPaused | FrameJudged

EARLY_SILENCE = ms_to_samples(32)
"""Silence after which the end-of-turn engine is asked already: one frame. Its answer takes about another."""


class Listener:
    """Cuts a stream into frames, has them judged and passes the gate's events on.

    `turn_audio` is None where no end-of-turn engine listens.
    """

    def __init__(
        self, config: StreamConfig, session: Session, frame_samples: int, turn_audio: TurnAudio | None
    ) -> None:
        self._session = session
        self._framer = Framer(frame_samples)
        self._frame_bytes = frame_samples * BYTES_PER_SAMPLE
        self._gate = SpeechGate(config.threshold, config.min_speech, config.stop_silence, config.start_offset)
        self._turn_audio = turn_audio
        self._frame_probabilities = config.frame_probabilities

    async def listen(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Event, None]:
        """The events of `audio`, PCM s16le in whole samples and pieces of any length, as they are decided.

        When the audio ends, an incomplete last frame is judged as if silence followed, and speech that goes on is
        reported as stopped where the audio ends.
        """
        async for pcm in audio:
            frames = self._framer.push(pcm)
            if not frames:
                continue
            probabilities = await self._session.judge(frames)
            for frame, probability in zip(frames, probabilities, strict=True):
                for event in self._heard(frame, probability):
                    yield event
        rest = self._framer.flush()
        if rest:
            (probability,) = await self._session.judge([rest.ljust(self._frame_bytes, b"\0")])
            for event in self._heard(rest, probability):
                yield event
        stopped = self._gate.finish()
        if stopped is not None:
            yield self._to_event(stopped)

    def _heard(self, frame: bytes, probability: float) -> Iterator[Event]:
        if self._frame_probabilities:
            yield FrameJudged(self._gate.end, probability)
        if self._turn_audio is not None:
            self._turn_audio.write(frame)
        silence = self._gate.silence
        event = self._gate.push(probability, len(frame) // BYTES_PER_SAMPLE)
        if event is not None:
            yield self._to_event(event)
        elif self._turn_audio is not None and silence < EARLY_SILENCE <= self._gate.silence:
            yield TurnFading(self._turn_audio.read())

    def _to_event(self, event: SpeechEvent) -> Event:
        if self._turn_audio is not None:
            self._turn_audio.note(event)
        if isinstance(event, SpeechStarted):
            return event
        return TurnPaused(event, self._turn_audio.read() if self._turn_audio is not None else b"")
