"""The phonemizers, loaded once."""

from collections.abc import Mapping

import pytest

from services.tts.g2p.base import Phonemizer
from services.tts.g2p.chinese import ChinesePhonemizer
from services.tts.g2p.english import EnglishPhonemizer
from services.tts.g2p.french import FrenchPhonemizer
from services.tts.g2p.japanese import JapanesePhonemizer
from services.tts.g2p.spanish import SpanishPhonemizer


@pytest.fixture(scope="session")
def phonemizers() -> Mapping[str, Phonemizer]:
    """By language."""
    english = EnglishPhonemizer()
    english("wugspot")  # loads the network for unknown words
    return {
        "en": english,
        "zh": ChinesePhonemizer(english),
        "ja": JapanesePhonemizer(english),
        "es": SpanishPhonemizer(),
        "fr": FrenchPhonemizer(),
    }
