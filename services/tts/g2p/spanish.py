"""Spanish by rule: its spelling tells its sound. Phonemes and stress marks as Kokoro's Spanish voices expect them."""

import re

from services.tts.g2p.base import Segment, words
from services.tts.g2p.spanish_numbers import read_numbers
from services.tts.text.clean import clean
from services.tts.text.spoken import Spoken

_TOKEN = re.compile(r"(?P<word>[^\W\d_]+)|(?P<space>\s+)|(?P<other>.)")
_MARKS = {**{mark: mark for mark in ",.;:!?…—"}, "(": "(", ")": ")", "«": "“", "»": "”", "“": "“", "”": "”", '"': '"'}
_ACCENTED = dict(zip("áéíóú", "aeiou", strict=True))
_VOWELS = frozenset("aeiouáéíóúü")
_OPEN = frozenset("aeoáéóíú")
# Words that lean on the next one and carry no stress.
_UNSTRESSED = frozenset(
    words("el la los las lo de del a al en con que y e o u se me te le les nos os mi tu su mis tus sus por si ni sin")
)
_HALF_STRESSED = frozenset(
    words("para pero cuando porque como donde aunque nuestra nuestro nuestras nuestros desde hasta sobre")
)
_IRREGULAR = {"méxico": "méjico", "mexicano": "mejicano", "mexicana": "mejicana", "texas": "tejas"}
_LETTERS = dict(
    zip(
        "abcdefghijklmnñopqrstuvwxyz",
        words("a be ce de e efe ge hache i jota ka ele eme ene eñe o pe cu erre ese te u uve doble_ve equis ye zeta"),
        strict=True,
    )
)
# Letters to sounds, longest first; an empty sound is the letter itself.
_CONSONANTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("ch", "ʧ"), ("ll", "ʎ"), ("rr", "r"), ("sh", "ʃ"), ("qu(?=[eiéí])", "k"), ("q", "k"), ("gu(?=[eiéí])", "ɡ"),
        ("gü(?=[eiéí])", "ɡw"), ("g(?=[eiéí])", "x"), ("g", "ɡ"), ("c(?=[eiéí])", "θ"), ("c", "k"),
        ("z", "θ"), ("j", "x"), ("ñ", "ɲ"), ("h", ""), ("x", "ks"), ("v", "b"), ("w", "w"),
        ("[bdfklmnpst]", ""), ("r", "ɾ"), ("ç", "s"),
    )
)  # fmt: skip
_SOFT = {"b": "β", "d": "ð", "ɡ": "ɣ"}
_DIPHTHONGS = (("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("oʊ", "O"))
_NASAL_BEFORE = {**dict.fromkeys("kɡxɣ", "ŋ"), **dict.fromkeys("pbm", "m")}
_SECONDARY_AFTER = 2  # syllables before the main stress from which the first one is stressed a little


class SpanishPhonemizer:
    """Castilian phonemes, one segment a word."""

    def __call__(self, text: str) -> list[Segment]:
        spoken = read_numbers(clean(Spoken.of(text), "punto"))
        found: list[Segment] = []
        before = ""
        for token in _TOKEN.finditer(spoken.text):
            end = spoken.origins[token.end()]
            if token.lastgroup == "word":
                sounds = word_phonemes(token.group(), before)
                before = sounds[-1:] or before
            elif token.lastgroup == "space":
                sounds = " "
            else:
                sounds = _MARKS.get(token.group(), "")
                before = "" if sounds else before
            found.append(Segment(sounds, end))
        return found


def word_phonemes(word: str, before: str = "") -> str:
    """The phonemes of one word; `before` is the last sound of the word before it ("" after a pause)."""
    if len(word) > 1 and word.isupper() and not _VOWELS & set(word.lower()):
        return " ".join(word_phonemes(part) for letter in word.lower() for part in _LETTERS.get(letter, "").split("_"))
    plain = _IRREGULAR.get(word.lower(), word.lower())
    if plain in _LETTERS and plain not in "aeiouy":
        return " ".join(word_phonemes(part) for part in _LETTERS[plain].split("_"))
    sounds, nuclei = _sounds(plain)
    if not nuclei:
        return ""
    stress = _stressed(plain, sounds, nuclei)
    marks: dict[int, str] = {}
    if plain in _HALF_STRESSED:
        marks[nuclei[stress]] = "ˌ"
    elif plain not in _UNSTRESSED:
        marks[nuclei[stress]] = "ˈ"
        if stress >= _SECONDARY_AFTER:
            marks[nuclei[0]] = "ˌ"
        if plain.endswith("mente") and stress < len(nuclei) - 2:
            marks[nuclei[-2]] = "ˈ"
    return _spell(_assimilated(sounds, before), marks)


def _sounds(word: str) -> tuple[list[str], list[int]]:
    """Sounds in order, and which of them are the nuclei of syllables. Accents stay on stressed vowels."""
    sounds: list[str] = []
    nuclei: list[int] = []
    at = 0
    while at < len(word):
        char = word[at]
        following = word[at + 1] if at + 1 < len(word) else ""
        if char == "y":
            char = "i" if following not in _VOWELS else "ʝ"
        if char in _VOWELS:
            weak = char in "iuü"
            after_vowel = bool(nuclei) and nuclei[-1] == len(sounds) - 1
            if weak and following in _VOWELS and not after_vowel:
                initial = not sounds and word[0] != "h"
                sounds.append(("ʝ" if initial else "j") if char == "i" else "w")
            elif weak and after_vowel and following not in _OPEN:
                sounds.append("ɪ" if char == "i" else "ʊ")
            elif weak and after_vowel:
                sounds.append("ʝ" if char == "i" else "w")
            else:
                nuclei.append(len(sounds))
                sounds.append(char)
            at += 1
            continue
        if char == "ʝ":
            sounds.append(char)
            at += 1
            continue
        for pattern, sound in _CONSONANTS:
            match = pattern.match(word, at)
            if match:
                sounds += _consonant(match.group(), sound, sounds)
                at = match.end()
                break
        else:
            at += 1
    return sounds, nuclei


def _consonant(letters: str, sound: str, before: list[str]) -> list[str]:
    if letters == "h":
        return []
    if sound == "ɾ" and (not before or before[-1] in "nls"):
        return ["r"]
    if sound == "ks" and not before:
        return ["s"]
    return list(sound or letters)


def _stressed(word: str, sounds: list[str], nuclei: list[int]) -> int:
    for number, at in enumerate(nuclei):
        if sounds[at] in _ACCENTED:
            return number
    if len(nuclei) == 1:
        return 0
    return len(nuclei) - 2 if word[-1] in "aeiouns" else len(nuclei) - 1


def _assimilated(sounds: list[str], before: str) -> list[str]:
    """Stops soften between vowels, nasals take the place of what follows them."""
    found: list[str] = []
    for at, sound in enumerate(sounds):
        previous = found[-1] if found else before
        following = sounds[at + 1] if at + 1 < len(sounds) else ""
        if sound in _SOFT and previous and previous not in "nmŋ" and following:
            found.append(_SOFT[sound])
        elif sound == "n":
            found.append(_NASAL_BEFORE.get(following, "n"))
        else:
            found.append(sound)
    return found


def _closed_by_nasal(following: list[str]) -> bool:
    return len(following) > 1 and following[0] in "nŋ" and following[1][0] not in _VOWELS and following[1] not in "jw"


def _spell(sounds: list[str], marks: dict[int, str]) -> str:
    spelled = ""
    for at, sound in enumerate(sounds):
        vowel = _ACCENTED.get(sound, "u" if sound == "ü" else sound)
        if vowel == "e" and marks.get(at) == "ˈ" and _closed_by_nasal(sounds[at + 1 : at + 3]):
            vowel = "ɛ"
        spelled += marks.get(at, "") + vowel
    for pair, single in _DIPHTHONGS:
        spelled = spelled.replace(pair, single)
    return spelled
