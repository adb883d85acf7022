"""What a speech-to-text engine is."""

from dataclasses import dataclass
from typing import Protocol

from services.stt.agreement import Hypothesis
from services.stt.alignment import TimedWord
from services.stt.language import Language


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """How to transcribe one utterance.

    `language` is a code the engine knows, or None: detected; `expected_language` is then preferred where the audio
    leaves doubt ("": none is). `words` asks for words with times. `hint` holds words the
    speaker is likely to use.
    """

    language: str | None = None
    expected_language: str = ""
    words: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Partial:
    """The text of the first `end` samples while speech goes on."""

    hypothesis: Hypothesis
    end: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """The best text of the first `end` samples: trimmed, empty where nothing was said.

    `language` is None where none was told and nothing was said. `words` are timed from the start of the utterance.
    """

    text: str
    language: Language | None
    words: tuple[TimedWord, ...]
    end: int


class Session(Protocol):
    """One utterance. Its coroutines must not overlap; cancelling one leaves the session usable."""

    @property
    def overdue(self) -> bool:
        """More audio waits than is transcribed at once: `settle` should be called."""
        ...

    @property
    def transcribed(self) -> int:
        """Samples, from the first, that the newest transcript covers; 0 where there is none."""
        ...

    @property
    def samples(self) -> int:
        """Samples accepted so far."""
        ...

    def accept_audio(self, pcm: bytes) -> None:
        """Adds whole samples of PCM s16le at 16 kHz. Raises StageError for `audio` past the longest utterance."""
        ...

    async def settle(self) -> None:
        """Transcribes for good, and leaves behind, what is overdue. Gives way to finals, of any session."""
        ...

    async def partial(self) -> Partial | None:
        """The text of all audio there is when a thread becomes free; None where it is doubtful, empty or late.

        Gives way to finals, of any session.
        """
        ...

    async def final(self, end: int) -> Transcript:
        """The best text of the first `end` samples, `end` being no less than in calls before.

        Costs nothing where `end` is `transcribed`.
        """
        ...


class Engine(Protocol):
    """A model shared by all sessions. It keeps nothing of a session."""

    @property
    def languages(self) -> frozenset[str]:
        """The language codes it knows; there from `start` on."""
        ...

    @property
    def partials_together(self) -> int:
        """Partials of different sessions that take no longer than one; there from the beginning."""
        ...

    async def start(self) -> None:
        """Loads the model and warms it. Called once."""
        ...

    async def close(self) -> None:
        """Frees everything. Called once, after the last session, also where `start` failed."""
        ...

    def open(self, config: SessionConfig) -> Session:
        """A session for one utterance."""
        ...
