"""Mandarin Chinese: words by jieba's dictionary, pinyin by pypinyin, phonemes as Kokoro v1.0 was trained on them."""

import re
from functools import cache

import rjieba
from pypinyin import Style, lazy_pinyin, load_single_dict
from pypinyin.contrib.tone_convert import to_finals, to_initials, to_normal

from services.tts.g2p.base import Segment
from services.tts.g2p.chinese_numbers import read_numbers
from services.tts.g2p.english import EnglishPhonemizer
from services.tts.text.clean import clean
from services.tts.text.spoken import Spoken

_LATIN = r"[A-Za-z][A-Za-z'’.+#-]*"
_RUN = re.compile(rf"(?P<han>[\u4e00-\u9fff]+)|(?P<latin>{_LATIN}(?:\s+{_LATIN})*)|(?P<other>.)")
_MARKS = {
    **dict.fromkeys("、，", ", "), **dict.fromkeys("。．", ". "), "！": "! ", "？": "? ", "：": ": ", "；": "; ",
    **dict.fromkeys("《「『【«“", " “"), **dict.fromkeys("》」』】»”", "” "), "（": " (", "）": ") ",
    **{mark: f"{mark} " for mark in ",.!?:;—…"}, "(": " (", ")": ") ",
}  # fmt: skip

# IPA as misaki's Mandarin front end writes it (Duanmu 2007, Lin 2007), tones as arrows after the nucleus, marked "0".
_INITIALS = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s", "": "",
}  # fmt: skip
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n", "iou": "jou0",
    "ing": "i0ŋ", "iong": "jʊ0ŋ", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0", "uai": "wai0",
    "uan": "wa0n", "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "ü": "y0", "üe": "ɥe0",
    "üan": "ɥɛ0n", "ün": "y0n", "ê": "ɛ0",
}  # fmt: skip
_WHOLE = {"er": "ɚ0", "o": "ɔ0", "ê": "ɛ0", "io": "jɔ0", "m": "m0", "n": "n0", "ng": "ŋ0", "hm": "hm0", "hng": "hŋ0"}
# Characters of several readings, the commonest first: pypinyin's own first guess is another.
_READINGS = {"长": "cháng,zhǎng", "得": "de,dé,děi"}
_APICAL = frozenset({"zh", "ch", "sh", "r", "z", "c", "s"})
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}


@cache
def syllable(pinyin: str) -> str:
    """The phonemes of one syllable in pinyin with a tone digit ("zhong1"); none where it is not pinyin."""
    tone = _TONES.get(pinyin[-1:])
    if tone is None:
        return ""
    plain = to_normal(pinyin)
    if plain in _WHOLE:
        return _WHOLE[plain].replace("0", tone)
    initial, final = to_initials(plain, strict=True), to_finals(plain, strict=True, v_to_u=True)
    if initial not in _INITIALS or final not in _FINALS:
        return ""
    nucleus = "ɨ0" if final == "i" and initial in _APICAL else _FINALS[final]
    return (_INITIALS[initial] + nucleus).replace("0", tone)


class ChinesePhonemizer:
    """Kokoro's Mandarin phonemes, one segment a character. Latin words are read as English."""

    def __init__(self, english: EnglishPhonemizer) -> None:
        self._english = english
        load_single_dict({ord(char): readings for char, readings in _READINGS.items()})
        rjieba.cut("你好")  # loads the dictionary

    def __call__(self, text: str) -> list[Segment]:
        spoken = read_numbers(clean(Spoken.of(text), "点"))
        found: list[Segment] = []
        for run in _RUN.finditer(spoken.text):
            if run.lastgroup == "han":
                found += self._words(spoken, run)
            elif run.lastgroup == "latin":
                part = Spoken(run.group(), spoken.origins[run.start() : run.end() + 1])
                found.append(Segment(" ", spoken.origins[run.start()]))
                found += [*self._english.segments(part), Segment(" ", spoken.origins[run.end()])]
            else:
                mark = " " if run.group().isspace() else _MARKS.get(run.group(), "")
                found.append(Segment(mark, spoken.origins[run.end()]))
        return found

    @staticmethod
    def _words(spoken: Spoken, run: re.Match[str]) -> list[Segment]:
        found: list[Segment] = []
        at = run.start()
        for word in rjieba.cut(run.group()):
            if at > run.start():
                found.append(Segment(" ", spoken.origins[at]))
            for pinyin in lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True):
                at += 1
                found.append(Segment(syllable(pinyin), spoken.origins[at]))
        return found
