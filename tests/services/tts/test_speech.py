"""What is spoken is understood: it comes back from speech recognition, word by word and in time."""

import asyncio
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import grpc.aio
import pytest
from faster_whisper import WhisperModel

from chassis.audio import Float32, resample
from chassis.weights import open_store
from tests.services.tts.client import Spoken, speak

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Heard:
    """Words and where each ends, in seconds."""

    words: Sequence[tuple[str, float]]

    @property
    def text(self) -> str:
        return "".join(word for word, _ in self.words)


Listen = Callable[[Float32, str], Heard]


@pytest.fixture(scope="module")
def listen() -> Listen:
    """Whisper base."""
    model = WhisperModel(str(open_store().ensure("whisper-base")), device="cpu", compute_type="int8", cpu_threads=2)

    def transcribe(samples: Float32, language: str) -> Heard:
        segments, _ = model.transcribe(
            resample(samples, 24_000, 16_000), language=language, beam_size=5, word_timestamps=True
        )
        return Heard([(word.word, word.end) for segment in segments for word in segment.words or ()])

    return transcribe


async def heard(listen: Listen, spoken: Spoken, language: str) -> Heard:
    return await asyncio.to_thread(listen, spoken.samples, language)


def plain(text: str) -> str:
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text).lower())


# Whisper writes Chinese in either script.
SIMPLIFIED = str.maketrans("氣們園裡廚開門後氣來電時間", "气们园里厨开门后气来电时间")


@pytest.mark.parametrize(
    ("language", "text", "likeness"),
    [
        ("en", "Sure! The capital of France is Paris, and it costs $20 to get there.", 0.95),
        ("zh", "今天天气很好，我们一起去公园走走吧。", 0.85),
        ("ja", "こんにちは。今日は天気がいいですね。", 0.85),
        ("es", "Hola, hoy hace buen tiempo y podemos ir al parque.", 0.9),
        ("fr", "Bonjour, la capitale de la France est Paris.", 0.9),
    ],
)
async def test_speech_is_understood(
    channel: grpc.aio.Channel, listen: Listen, language: str, text: str, likeness: float
) -> None:
    understood = (await heard(listen, await speak(channel, text, language=language), language)).text
    assert SequenceMatcher(None, plain(text), plain(understood.translate(SIMPLIFIED))).ratio() >= likeness


async def test_signs_and_markup_are_not_read_out(channel: grpc.aio.Channel, listen: Listen) -> None:
    spoken = await speak(channel, "**Look** at [the page](https://a.b/c) 😀 on https://example.com/x?y=1.")
    understood = (await heard(listen, spoken, "en")).text.lower()
    assert "look at the page on example" in understood
    for unwanted in ("star", "slash", "http", "smil"):
        assert unwanted not in understood


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The capital of France is Paris, and it has been for many centuries."),
        ("es", "Hola, soy tu asistente de voz. Hoy hace buen tiempo y podemos ir al parque."),
    ],
)
async def test_words_end_where_they_are_heard_to_end(
    channel: grpc.aio.Channel, listen: Listen, language: str, text: str
) -> None:
    spoken = await speak(channel, text, language=language)
    words = list(re.finditer(r"\S+", text))
    recognised = (await heard(listen, spoken, language)).words
    blocks = SequenceMatcher(
        None, [plain(word.group()) for word in words], [plain(word) for word, _ in recognised], autojunk=False
    ).get_matching_blocks()
    ends = [
        (spoken.end_of(words[block.a + at].end()), recognised[block.b + at][1])
        for block in blocks
        for at in range(block.size)
    ]
    assert len(ends) >= len(words) - 2
    errors = [abs(ours - theirs) for ours, theirs in ends]
    # A word lasts about 300 ms: the history is cut at the right word, give or take one.
    assert sum(errors) / len(errors) < 0.15
    assert max(errors) < 0.4
