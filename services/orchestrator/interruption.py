"""Is what the microphone heard during a reply an interruption? Pure: two texts in, a verdict out."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from services.orchestrator.characters import continues_letter, is_cjk

# Short sounds with which a listener says "go on" (Yngve 1970 calls them backchannels); only as all that was said.
BACKCHANNELS = frozenset(
    {
        *("mm", "mhm", "mm-hm", "mm-hmm", "hm", "uh", "uh-huh", "huh", "um", "ah", "oh", "aha", "ooh", "wow"),
        *("yeah", "yep", "yes", "yup", "ok", "okay", "right", "alright", "all right", "sure", "exactly", "really"),
        *("i see", "got it", "of course", "makes sense"),
        *("嗯", "嗯哼", "哦", "噢", "喔", "啊", "呃", "对", "對", "好", "好的", "是", "是的", "是吗", "是嗎"),
        *("对啊", "對啊", "对呀", "好嘞", "知道了", "行", "没错", "明白", "明白了", "原来如此", "这样", "这样啊"),
        *("はい", "うん", "ええ", "え", "あ", "ああ", "へえ", "へ", "ほう", "そう", "そうか", "そうですか"),
        *("そうですね", "そうなんだ", "そうなんですね", "そうね", "ね", "なるほど", "なるほどね", "確かに"),
        *("네", "예", "응", "어", "음", "아", "그래", "그래요", "그렇구나", "그렇군요", "맞아", "맞아요"),
        *("sí", "si", "vale", "ajá", "claro", "ya veo", "de acuerdo", "entiendo"),
        *("oui", "ouais", "d'accord", "bien", "bien sûr", "je vois", "voilà", "en effet", "hein"),
        *("ja", "jaja", "genau", "ach so", "achso", "klar", "stimmt", "alles klar", "verstehe"),
        *("sì", "certo", "va bene", "capisco", "esatto", "sim", "pois", "pois é", "tá", "tá bom", "entendi"),
        *("да", "ага", "угу", "понятно", "ясно", "हाँ", "हां", "जी", "अच्छा", "ठीक है", "نعم", "تمام", "أيوه"),
    }
)
# Share of what was heard that the loudspeaker must have just said for it to count as its echo.
ECHO_OVERLAP = 0.75
# Words that must follow each other in both: single words, and characters, are common to any two texts.
_ECHO_RUN = 2.0
_CHARACTER_WEIGHT = 0.5


def words(text: str) -> list[str]:
    """The words of `text`, folded for comparison; a Han or kana character is a word of its own."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    parts: list[str] = []
    for char in folded:
        if char in _INSIDE_WORDS:
            continue
        if is_cjk(char):
            parts += (" ", char, " ")
        else:
            parts.append(char if char.isalnum() or continues_letter(char) else " ")
    return "".join(parts).split()


def is_backchannel(text: str) -> bool:
    """Whether `text` is nothing but listener sounds."""
    heard = _sounds(text)
    reached = {0}
    for start in range(len(heard)):
        if start in reached:
            ends = range(start + 1, min(start + _LONGEST_SOUND, len(heard)) + 1)
            reached.update(end for end in ends if heard[start:end] in _SOUNDS)
    return len(heard) in reached


def is_echo(text: str, spoken: str) -> bool:
    """Whether `text` is what the loudspeaker just said (`spoken`), picked up by the microphone.

    Two words at least must follow each other in both, or four characters of Han or kana: one common word proves
    nothing.
    """
    heard = words(text)
    said = {run for _, run in _runs(words(spoken))}
    matched = {at + index for at, run in _runs(heard) if run in said for index in range(len(run))}
    return bool(matched) and sum(_weight(heard[at]) for at in matched) >= ECHO_OVERLAP * sum(map(_weight, heard))


def is_interruption(text: str, spoken: str) -> bool:
    """Whether `text`, heard while `spoken` was being said, takes the floor."""
    return not is_backchannel(text) and not is_echo(text, spoken)


_INSIDE_WORDS = frozenset("'\u2019\u2018`-\u2010\u2011")


def _sounds(text: str) -> tuple[str, ...]:
    """The words of `text` with what is drawn out made short: "Mmmm, mm" is ("m",), "へーーえ" is ("へ", "え")."""
    short = (re.sub(r"(.)\1+", r"\1", word) for word in words(text) if word != "ー")
    return tuple(word for word, _ in groupby(short))


def _runs(text: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """From every word, as many words as make a run, and where they begin."""
    for start in range(len(text)):
        weight = 0.0
        for end in range(start, len(text)):
            weight += _weight(text[end])
            if weight >= _ECHO_RUN:
                yield start, tuple(text[start : end + 1])
                break


def _weight(word: str) -> float:
    return _CHARACTER_WEIGHT if len(word) == 1 and is_cjk(word) else 1.0


_SOUNDS = frozenset(map(_sounds, BACKCHANNELS))
_LONGEST_SOUND = max(map(len, _SOUNDS))
