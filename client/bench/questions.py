"""What the sessions of a benchmark say: texts spoken once before the run, or recordings from a folder."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from client.sound.speech import SpeechError, read_wav, synthesise
from client.turns import BYTES_PER_SECOND, audible_span

QUESTIONS: Sequence[str] = (
    "Can you tell me what the capital of France is?",
    "I would like to know how far away the moon is.",
    "Who wrote the famous play about Romeo and Juliet?",
    "Could you recommend a good book about the history of music?",
    "Why is the sky blue during the day and red in the evening?",
    "How do I make a simple tomato soup for four people?",
    "What is the largest animal that has ever lived on our planet?",
    "How many minutes does it take to boil an egg so that it is still soft?",
    "Please tell me a fun fact about penguins that children would like.",
    "What should I wear tomorrow if it is going to be warm, but also rainy?",
    "Which planet in our solar system is the closest one to the sun?",
    "I often lie awake at night, so how can I fall asleep a little faster?",
    "What exactly is the difference between a frog and a toad?",
    "Who was the first person to walk on the moon, and in which year was that?",
    "What would be a good name for a small brown dog with long ears?",
    "How does a bicycle stay upright when it moves, but not when it stands?",
)
"""English questions that take 1.5 to 4 seconds to say and that a short answer serves."""
MAX_QUESTIONS = 1000

FoundT = TypeVar("FoundT")


@dataclass(frozen=True, slots=True)
class Question:
    """Speech, PCM s16le 24 kHz mono, that ends with its last audible sample. `text` is what is said, where known."""

    name: str
    text: str | None
    pcm: bytes

    @property
    def seconds(self) -> float:
        """How long it takes to say."""
        return len(self.pcm) / BYTES_PER_SECOND


def question(name: str, text: str | None, pcm: bytes) -> Question:
    """The question without what cannot be heard behind it. Raises SpeechError where nothing can be heard."""
    span = audible_span(pcm)
    if span is None:
        raise SpeechError(f"{name}: nothing can be heard in it")
    return Question(name, text, pcm[: 2 * span[1]])


def read_texts(path: Path) -> list[str]:
    """The lines of a UTF-8 file that have words in them. Raises SpeechError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SpeechError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpeechError(f"{path}: expected UTF-8 text") from error
    return _checked([line.strip() for line in lines if line.strip()], path, "one question a line")


def read_folder(folder: Path) -> list[Question]:
    """Every `*.wav` of a folder, by name; what is said stands in a `.txt` of the same name, where there is one.

    Raises SpeechError.
    """
    if not folder.is_dir():
        raise SpeechError(f"{folder}: expected a folder with WAV files")
    paths = _checked(sorted(folder.glob("*.wav")), folder, "WAV files")
    return [question(path.name, _transcript(path), read_wav(path)) for path in paths]


async def speak_all(
    texts: Sequence[str], *, target: str, language: str | None = None, voice: str = ""
) -> list[Question]:
    """The texts, spoken by the text-to-speech stage at `target` (`host:port`). Raises SpeechError."""
    spoken = []
    for text in texts:
        pcm = await synthesise(text, language=language, voice=voice, target=target)
        spoken.append(await asyncio.to_thread(question, text, text, pcm))
    return spoken


def _transcript(path: Path) -> str | None:
    beside = path.with_suffix(".txt")
    return " ".join(read_texts(beside)) if beside.exists() else None


def _checked(found: list[FoundT], where: Path, expected: str) -> list[FoundT]:
    if not found:
        raise SpeechError(f"{where}: expected {expected}, found none")
    if len(found) > MAX_QUESTIONS:
        raise SpeechError(f"{where}: expected at most {MAX_QUESTIONS} questions, found {len(found)}")
    return found
