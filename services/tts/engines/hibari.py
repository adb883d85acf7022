"""Hibari: English, 8 MB, about a hundred times faster than speech on one core."""

import json
from collections.abc import Sequence
from pathlib import Path

import hibari
import numpy as np
from hibari import dsp
from hibari.voices import VOICES

from chassis.audio import Float32
from chassis.workers import Workers
from services.tts.engines.onnx import Provider, open_session, with_output
from services.tts.engines.synthesis import Limits, SynthesisSession, Utterance, utterance
from services.tts.g2p.base import Segment
from services.tts.g2p.english import EnglishPhonemizer
from services.tts.settings import Settings
from services.tts.voices import Voice, VoiceBook

LANGUAGE = "en"
# Other voices of the package would have to be downloaded at run time.
BUNDLED = tuple(name for name, voice in VOICES.items() if voice.get("bundled"))
_DURATIONS = "/Cast_32_output_0"
"""The model's tensor int64 [phonemes + 2]: steps of each phoneme and of the pads around them."""
_STEP_SAMPLES = 2 * dsp.HOP
_WARM_UP = "This sentence is spoken once, so that the first one that somebody hears is fast: 3.5% of $20."
LIMITS = Limits(unit=300, first_unit=120, phonemes=400)
"""A unit of 300 characters is 20 s of speech in 150 ms. The model was trained on sentences of at most 400 phonemes."""


class HibariSpeaker:
    """Hibari at one pace."""

    sample_rate_hz: int = dsp.SR

    def __init__(self, model: "HibariModel", speed: float) -> None:
        self._model = model
        self._speed = np.asarray([speed], np.float32)

    def __call__(self, segments: Sequence[Segment]) -> Utterance:
        return self._model.speak(segments, self._speed)


class HibariModel:
    """The network and its vocabulary. Blocking; loading takes 0.2 s."""

    def __init__(self, threads: int, provider: Provider = "cpu") -> None:
        assets = Path(hibari.__file__).parent / "assets"
        model = assets / VOICES[BUNDLED[0]]["file"]
        self._session = open_session(with_output(model.read_bytes(), _DURATIONS), threads, provider)
        vocabulary: dict[str, int] = json.loads((assets / "vocab.json").read_text(encoding="utf-8"))
        self._vocabulary = vocabulary

    def speak(self, segments: Sequence[Segment], speed: Float32) -> Utterance:
        """Speaks the segments."""
        tokens = [[self._vocabulary[char] for char in each.phonemes if char in self._vocabulary] for each in segments]
        ids = np.asarray([[0, *(token for group in tokens for token in group), 0]], np.int64)
        *spectrum, steps = self._session.run(None, {"ids": ids, "speed": speed})
        # The noise of whispered sounds is drawn anew each time; a fixed seed makes speech reproducible.
        samples = dsp.synth(*(part[0] for part in spectrum), np.random.default_rng(0))
        return utterance(samples, steps.reshape(-1), _STEP_SAMPLES, [len(group) for group in tokens])


class HibariEngine:
    """See `base.Engine`."""

    def __init__(self, settings: Settings, workers: Workers | None = None) -> None:
        self.voices = VoiceBook([Voice(name, LANGUAGE, dsp.SR) for name in BUNDLED], [LANGUAGE])
        self._settings = settings
        self._workers = workers or Workers("tts", settings.threads, settings.max_pending)
        self._owns_workers = workers is None
        self._model: HibariModel | None = None
        self._english: EnglishPhonemizer | None = None

    @property
    def phonemizer(self) -> EnglishPhonemizer:
        """The phonemizer for English; there is one once the engine is started."""
        assert self._english
        return self._english

    async def start(self) -> None:
        """See `base.Engine`."""
        await self._workers.run("load", self._load)

    def _load(self) -> None:
        self._english = EnglishPhonemizer()
        self._model = HibariModel(self._settings.model_threads, self._settings.onnx_provider)
        HibariSpeaker(self._model, 1.0)(self._english(_WARM_UP))

    async def close(self) -> None:
        """See `base.Engine`."""
        if self._owns_workers:
            await self._workers.close()
        self._model = None

    def session(self, voice: str, language: str, speed: float) -> SynthesisSession:
        """See `base.Engine`."""
        assert self._model
        return SynthesisSession(self._workers, self.phonemizer, HibariSpeaker(self._model, speed), LIMITS, speed)
