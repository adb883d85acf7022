"""English speech with known words for the bench: synthesized with several voices, and recorded where it can be had."""

import json
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from hibari import Hibari

from chassis.audio import SAMPLE_RATE, Float32, pcm_to_float, resample
from chassis.weights import UnknownModelError, WeightsStore

HIBARI = "hibari"
KOKORO_RATE = 24_000
ROOM_LEVEL = 1e-3
"""Standard deviation of the background noise, of full scale."""
BEFORE_S, AFTER_S = 0.3, 0.2
"""Background before and after each sentence, as an utterance has when voice activity cuts it out."""

SENTENCES: Sequence[tuple[str, str]] = (
    (HIBARI, "Could you tell me what the weather will be like tomorrow morning?"),
    ("af_heart", "Please set an alarm for half past six."),
    ("am_michael", "How many people live in the city of Tokyo?"),
    ("bf_emma", "Why is the sky blue during the day and red in the evening?"),
    ("bm_george", "Turn on the lights in the living room, please."),
    (HIBARI, "I would like to book a table for four people on Friday night."),
    ("af_heart", "What time does the next train to London leave?"),
    ("am_michael", "Can you explain how a bicycle stays upright when it moves?"),
    ("bf_emma", "Remind me to call my mother when I get home."),
    ("bm_george", "Who wrote the play about the prince of Denmark?"),
    (HIBARI, "The museum opens at nine and closes at five, except on Mondays."),
    ("af_heart", "How do I get from the airport to the old town?"),
    ("am_michael", "Tell me a short story about a dog in a lighthouse."),
    ("bf_emma", "What is the difference between a crocodile and an alligator?"),
    ("bm_george", "Is it true that honey never goes bad?"),
    (HIBARI, "Play some quiet music and wake me up in twenty minutes."),
    ("af_heart", "My order has not arrived yet, and I would like to know where it is."),
    ("am_michael", "What is the capital of France?"),
    ("bf_emma", "Let me think about that for a moment, and then I will tell you what I have decided."),
    ("bm_george", "Which planet is the largest in our solar system?"),
    (HIBARI, "Good morning, can you hear me?"),
    ("af_heart", "Yes, that sounds good to me."),
    ("am_michael", "The first thing I want to know is whether the shop is open on Sunday, and how far away it is."),
    ("bf_emma", "Can you recommend a good book about the history of music?"),
)
RECORDINGS: Mapping[str, str] = {
    "beckett.wav": "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
    "jfk.wav": "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your "
    "country.",
}
RECORDINGS_MODEL = "speech-samples"


@dataclass(frozen=True, slots=True)
class Clip:
    """Float32 [samples] at 16 kHz, who speaks, and the words."""

    voice: str
    text: str
    samples: Float32


def synthesized(store: WeightsStore) -> list[Clip]:
    """Every sentence, the same to the sample each time."""
    hibari = Hibari()
    directory = store.ensure("kokoro-82m-int8")
    kokoro = onnxruntime.InferenceSession(directory / "model.onnx", providers=["CPUExecutionProvider"])
    vocabulary: dict[str, int] = json.loads((directory / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    random = np.random.default_rng(0)

    def speak(voice: str, text: str) -> Float32:
        if voice == HIBARI:
            return resample(np.asarray(hibari(text, seed=0), np.float32), hibari.sample_rate, SAMPLE_RATE)
        # Hibari's phonemes are Kokoro's.
        phonemes = " ".join(hibari.phonemize(text))
        tokens = [vocabulary[symbol] for symbol in phonemes if symbol in vocabulary]
        style = np.fromfile(directory / "voices" / f"{voice}.bin", "<f4").reshape(-1, 1, 256)[len(tokens)]
        inputs = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": style, "speed": np.ones(1, np.float32)}
        return resample(kokoro.run(None, inputs)[0].reshape(-1), KOKORO_RATE, SAMPLE_RATE)

    def in_a_room(speech: Float32) -> Float32:
        padded = np.pad(speech, (int(BEFORE_S * SAMPLE_RATE), int(AFTER_S * SAMPLE_RATE)))
        noisy: Float32 = padded + np.float32(ROOM_LEVEL) * random.standard_normal(len(padded), np.float32)
        return noisy

    return [Clip(voice, text, in_a_room(speak(voice, text))) for voice, text in SENTENCES]


def recorded(store: WeightsStore) -> list[Clip]:
    """People's voices; none where the catalog does not list them."""
    try:
        directory = store.ensure(RECORDINGS_MODEL)
    except UnknownModelError:
        return []
    return [Clip(name, text, _read_wav(directory / name)) for name, text in RECORDINGS.items()]


def _read_wav(path: Path) -> Float32:
    """16-bit mono WAV as float32 [samples] at 16 kHz."""
    with wave.open(str(path)) as file:
        return resample(pcm_to_float(file.readframes(file.getnframes())), file.getframerate(), SAMPLE_RATE)
