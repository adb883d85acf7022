"""What the server asks of an engine. Engines are shared by all streams; what belongs to one stream is a session."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from services.tts.voices import VoiceBook


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of speech: PCM s16le mono, and the characters it speaks as offsets into all text of the session.

    Offsets are Unicode code points. Pieces follow each other without gap: each starts at the offset where the one
    before it ended. `text_end` equals `text_start` for silence; `pcm` is empty for text that nobody says (emoji).
    """

    pcm: bytes
    text_start: int
    text_end: int


class Session(Protocol):
    """One stream's speech, in one voice. Not shared; one call at a time."""

    def speak(self, text: str) -> AsyncGenerator[Speech]:
        """The speech of the next piece of text, as soon as each part of it exists; it covers all of `text`.

        Nothing is made ahead of the reader, so a reader that waits holds synthesis back. Closing the generator, or
        cancelling the task that reads it, drops what has not begun.
        """
        ...


class Engine(Protocol):
    """Text to speech."""

    voices: VoiceBook

    async def start(self) -> None:
        """Loads the models and warms them. Called once."""
        ...

    async def close(self) -> None:
        """Frees everything, also after a `start` that failed. Called once, after the last session."""
        ...

    def session(self, voice: str, language: str, speed: float) -> Session:
        """A session of a voice and a language that `voices` has. `speed` 1 is the voice's own pace, 0.25 to 4."""
        ...


@runtime_checkable
class Cloner(Protocol):
    """An engine that also speaks in a voice that it has only heard."""

    def clone(self, wav: bytes, text: str, language: str, speed: float) -> Session:
        """A session in the voice of a WAV file whose words are `text`, otherwise like `Engine.session`.

        Raises StageError, which names `reference.wav` or `reference.text`, where it is not within the limits.
        """
        ...
