"""Kokoro-82M, int8, on onnxruntime: Chinese, Japanese, Spanish, French, and English with more voices."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from chassis.audio import Float32
from chassis.weights import open_store
from chassis.workers import Workers
from services.tts.engines.onnx import Provider, open_session, with_output
from services.tts.engines.synthesis import Limits, SynthesisSession, Utterance, utterance
from services.tts.g2p.base import Phonemizer, Segment
from services.tts.g2p.chinese import ChinesePhonemizer
from services.tts.g2p.english import EnglishPhonemizer
from services.tts.g2p.french import FrenchPhonemizer
from services.tts.g2p.japanese import JapanesePhonemizer
from services.tts.g2p.spanish import SpanishPhonemizer
from services.tts.settings import Settings
from services.tts.voices import Voice, VoiceBook

WEIGHTS = "kokoro-82m-int8"
SAMPLE_RATE = 24_000
VOICES: Mapping[str, Sequence[str]] = {
    "en": ("af_heart", "am_michael", "bf_emma", "bm_george"),
    "zh": ("zf_xiaobei", "zm_yunxi", "zf_xiaoyi", "zm_yunjian", "zf_xiaoxiao", "zf_xiaoni", "zm_yunxia", "zm_yunyang"),
    "ja": ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"),
    "es": ("ef_dora", "em_alex", "em_santa"),
    "fr": ("ff_siwis",),
}
"""Voices by their own language, in order of preference. Every voice speaks every language."""
_DURATIONS = "/encoder/Clip_output_0"
"""The model's tensor float [1, phonemes + 2]: steps of each phoneme and of the pads around them."""
_STEP_SAMPLES = 600
_STYLES, _STYLE_SIZE = 510, 256
_SPACED, _UNSPACED = Limits(unit=150, first_unit=40, phonemes=250), Limits(unit=40, first_unit=14, phonemes=250)
"""Units of about ten seconds of speech: the model takes 510 phonemes, but longer ones take more time and memory for
each second of speech, keep other streams waiting and cannot be interrupted. A Chinese character is about six."""
LIMITS = {"en": _SPACED, "es": _SPACED, "fr": _SPACED, "zh": _UNSPACED, "ja": _UNSPACED}
_WARM_UP = {
    "en": "Hello.",
    "zh": "你好，这是第1句话。",
    "ja": "こんにちは、3本です。",
    "es": "Hola, son 20 euros.",
    "fr": "Bonjour, il est midi.",
}


class KokoroSpeaker:
    """One voice of Kokoro at one pace."""

    sample_rate_hz = SAMPLE_RATE

    def __init__(self, model: "Callable[[], KokoroModel]", voice: str, speed: float) -> None:
        self._model = model
        self._voice = voice
        self._speed = np.asarray([speed], np.float32)

    def __call__(self, segments: Sequence[Segment]) -> Utterance:
        return self._model().speak(segments, self._voice, self._speed)


class KokoroModel:
    """The network, its vocabulary, its voices and the phonemizers of its languages. Blocking; loading takes seconds."""

    def __init__(self, weights: Path, threads: int, english: EnglishPhonemizer, provider: Provider = "cpu") -> None:
        model = (weights / "model.onnx").read_bytes()
        self._session = open_session(with_output(model, _DURATIONS), threads, provider)
        vocabulary: dict[str, int] = json.loads((weights / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._vocabulary = vocabulary
        self._styles = {name: _style(weights / "voices" / f"{name}.bin") for names in VOICES.values() for name in names}
        self.phonemizers: Mapping[str, Phonemizer] = {
            "en": english,
            "zh": ChinesePhonemizer(english),
            "ja": JapanesePhonemizer(english),
            "es": SpanishPhonemizer(),
            "fr": FrenchPhonemizer(),
        }

    def speak(self, segments: Sequence[Segment], voice: str, speed: Float32) -> Utterance:
        """Speaks the segments: at most 510 phonemes, or an error of the model."""
        tokens = [[self._vocabulary[char] for char in each.phonemes if char in self._vocabulary] for each in segments]
        ids = [token for group in tokens for token in group]
        style = self._styles[voice][max(len(ids), 1) - 1]
        samples, steps = self._session.run(
            None, {"tokens": np.asarray([[0, *ids, 0]], np.int64), "style": style[None], "speed": speed}
        )
        return utterance(samples, steps.reshape(-1), _STEP_SAMPLES, [len(group) for group in tokens])


def _style(path: Path) -> Float32:
    style: Float32 = np.fromfile(path, "<f4").reshape(_STYLES, _STYLE_SIZE)
    return style


class KokoroEngine:
    """See `base.Engine`. `also_known_as` gives voices further names."""

    def __init__(
        self,
        settings: Settings,
        workers: Workers | None = None,
        english: Callable[[], EnglishPhonemizer] = EnglishPhonemizer,
        also_known_as: Mapping[str, str] | None = None,
    ) -> None:
        voices = [Voice(name, language, SAMPLE_RATE) for language, names in VOICES.items() for name in names]
        self.voices = VoiceBook(voices, tuple(VOICES))
        self._settings = settings
        self._workers = workers or Workers("tts", settings.threads, settings.max_pending)
        self._owns_workers = workers is None
        self._english = english
        self._also_known_as = also_known_as or {}
        self._model: KokoroModel | None = None
        self._load_lock = threading.Lock()

    async def start(self) -> None:
        """See `base.Engine`. Where it is not called, the first sessions load the model."""
        await self._workers.run("load", self._warm)

    def _loaded(self) -> KokoroModel:
        with self._load_lock:
            if self._model is None:
                weights = open_store().ensure(WEIGHTS)
                self._model = KokoroModel(
                    weights, self._settings.model_threads, self._english(), self._settings.onnx_provider
                )
            return self._model

    def _warm(self) -> None:
        model = self._loaded()
        speed = np.ones(1, np.float32)
        for language, text in _WARM_UP.items():
            model.speak(model.phonemizers[language](text), VOICES[language][0], speed)

    async def close(self) -> None:
        """See `base.Engine`."""
        if self._owns_workers:
            await self._workers.close()
        self._model = None

    def session(self, voice: str, language: str, speed: float) -> SynthesisSession:
        """See `base.Engine`."""
        speaker = KokoroSpeaker(self._loaded, self._also_known_as.get(voice, voice), speed)

        def phonemizer(text: str) -> list[Segment]:
            return self._loaded().phonemizers[language](text)

        return SynthesisSession(self._workers, phonemizer, speaker, LIMITS[language].at(speed), speed)
