"""Text becomes the phonemes that the voices were trained on, and stays tied to its characters."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.weights import open_store
from services.tts.engines.kokoro import WEIGHTS
from services.tts.g2p.base import Phonemizer

LANGUAGES = ("en", "zh", "ja", "es", "fr")
MIXED = st.text(
    st.one_of(
        st.sampled_from(
            list("aeiou bcdnrs 今天的好 かなカナ漢ッーンャ éñüçœ’ 0123456789 .,!?%$€&+-*/=@#'\"()[]_~^<>|")
        ),
        st.characters(blacklist_categories=["Cs"]),
    ),
    max_size=40,
)


def sounds(phonemizer: Phonemizer, text: str) -> str:
    return "".join(segment.phonemes for segment in phonemizer(text)).strip()


@pytest.mark.parametrize(
    ("language", "text", "phonemes"),
    [
        ("en", "Hello there.", "həlˈO ðˈɛɹ."),
        ("en", "e.g. C#", "fɔɹ ɪɡzˈæmpəl sˈi ʃˈɑɹp"),
        ("zh", "你好，世界。", "ni↓xau↓, ʂɨ↘ʨje↘."),
        ("zh", "银行很长", "i↗nxa↗ŋ xə↓nꭧʰa↗ŋ"),
        ("ja", "東京へ行った。", "toːkʲoː e iʔta."),
        ("ja", "こんにちは", "koɲɲiʨiβa"),
        ("es", "La capital de Francia es París.", "la kˌapitˈal ðe fɾˈanθja ˈes paɾˈis."),
        ("es", "El tren sale a las ocho y media.", "el tɾˈen sˈale a las ˈoʧo i mˈeðja."),
        ("es", "Buenos días, México", "bwˈenos ðˈias, mˈexiko"),
        ("fr", "Les enfants mangent une petite pomme.", "lez ɑ̃fˈɑ̃ mˈɑ̃ʒ yn pətˈit pˈɔm."),
        ("fr", "un grand homme, les héros", "œ̃ ɡʁˈɑ̃t ˈɔm, le eʁˈo"),
    ],
)
def test_known_texts_sound_as_they_should(
    phonemizers: Mapping[str, Phonemizer], language: str, text: str, phonemes: str
) -> None:
    assert sounds(phonemizers[language], text) == phonemes


@pytest.mark.parametrize(
    ("language", "text", "as_if"),
    [
        ("en", "$20", "twenty dollars"),
        ("en", "Dr. Smith", "Doctor Smith"),
        ("en", "C++", "C plus plus"),
        ("en", "see https://example.com/a?b=c", "see example dot com"),
        ("en", "2 * 3", "two times three"),
        ("zh", "3.5%", "百分之三点五"),
        ("zh", "2024年3月8日", "二零二四年三月八日"),
        ("zh", "下午2:05", "下午两点零五分"),
        ("zh", "10250元", "一万零二百五十元"),
        ("zh", "2个人", "两个人"),
        ("ja", "1,500円", "センゴヒャクエン"),
        ("es", "1.250 €", "mil doscientos cincuenta euros"),
        ("es", "21 años", "veintiún años"),
        ("es", "14:30", "catorce y treinta"),
        ("fr", "1998", "mille neuf cent quatre-vingt-dix-huit"),
        ("fr", "71 %", "soixante et onze pour cent"),
        ("fr", "2e", "deuxième"),
        ("fr", "14h30", "quatorze heures trente"),
    ],
)
def test_numbers_and_signs_are_read_as_words(
    phonemizers: Mapping[str, Phonemizer], language: str, text: str, as_if: str
) -> None:
    assert sounds(phonemizers[language], text) == sounds(phonemizers[language], as_if)


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("3本", "samboɴ"),
        ("8月8日", "haʨiɡaʦɨ joːka"),
        ("4時10分", "joʥi ʥɨʔpɯɴ"),
        ("2人", "ɸɯtaɾʲi"),
        ("3つ", "mʲiʔʦɨ"),
    ],
)
def test_japanese_counters_bend(phonemizers: Mapping[str, Phonemizer], text: str, phonemes: str) -> None:
    assert sounds(phonemizers["ja"], text) == phonemes


def test_a_price_counts_as_spoken_only_at_its_end(phonemizers: Mapping[str, Phonemizer]) -> None:
    text = "It costs $20 today"
    segments = phonemizers["en"](text)
    price = next(segment for segment in segments if "dˈɑləɹz" in segment.phonemes)
    assert price.end == text.index(" today")


def test_each_chinese_character_has_its_own_end(phonemizers: Mapping[str, Phonemizer]) -> None:
    segments = [segment for segment in phonemizers["zh"]("今天天气好") if not segment.is_pause]
    assert [segment.end for segment in segments] == [1, 2, 3, 4, 5]


def test_latin_words_in_chinese_are_read_as_english(phonemizers: Mapping[str, Phonemizer]) -> None:
    assert sounds(phonemizers["en"], "Python") in sounds(phonemizers["zh"], "我用Python写。")


@pytest.mark.parametrize("language", LANGUAGES)
def test_letters_of_another_script_are_passed_over(phonemizers: Mapping[str, Phonemizer], language: str) -> None:
    segments = phonemizers[language]("привет")
    assert all(segment.is_pause for segment in segments)


@pytest.mark.parametrize("language", LANGUAGES)
@given(text=MIXED)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gives_known_phonemes_with_ends_in_order(
    phonemizers: Mapping[str, Phonemizer], vocabulary: frozenset[str], language: str, text: str
) -> None:
    segments = phonemizers[language](text)
    ends = [segment.end for segment in segments]
    assert ends == sorted(ends)
    assert all(0 <= end <= len(text) for end in ends)
    assert {char for segment in segments for char in segment.phonemes} <= vocabulary


@pytest.fixture(scope="session")
def vocabulary() -> frozenset[str]:
    """Kokoro's alphabet."""
    path = open_store().ensure(WEIGHTS) / "vocab.json"
    return frozenset(json.loads(path.read_text(encoding="utf-8"))["vocab"])
