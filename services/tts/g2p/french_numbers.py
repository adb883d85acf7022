"""Numbers and signs in French text, written out in words. Pure."""

import re

from services.tts.g2p.base import words
from services.tts.text.spoken import Spoken

_SMALL = words(
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf"
)
_TENS = ("", "", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt")
_SIZES = ((1_000_000_000, "milliard"), (1_000_000, "million"), (1_000, "mille"), (100, "cent"))
_MOST_DIGITS = 12
_NUMBER = r"\d+(?:[.,]\d+)?"


def cardinal(number: int) -> str:
    """An integer from 0 to 10^12 - 1: 1998 → "mille neuf cent quatre-vingt-dix-huit"."""
    if number < len(_SMALL):
        return _SMALL[number]
    if number < 100:
        tens, units = divmod(number, 10)
        if tens in (7, 9):
            units += 10
        if units == 0:
            return "quatre-vingts" if tens == 8 else _TENS[tens]
        joint = " et " if units in (1, 11) and tens < 8 else "-"
        return _TENS[tens] + joint + _SMALL[units]
    size, name = next((size, name) for size, name in _SIZES if number >= size)
    count, rest = divmod(number, size)
    if size <= 1_000:
        head = name if count == 1 else f"{cardinal(count)} {name}"
    else:
        head = f"{cardinal(count)} {name}" + ("s" if count > 1 else "")
    return head + (f" {cardinal(rest)}" if rest else "")


def amount(number: str) -> str:
    """A number as written, with a decimal comma or point. Leading zeros and very long numbers go digit by digit."""
    whole, mark, fraction = re.split(r"([.,])", number) if re.search(r"[.,]", number) else (number, "", "")
    one_by_one = (len(whole) > 1 and whole[0] == "0") or len(whole) > _MOST_DIGITS
    read = " ".join(_SMALL[int(digit)] for digit in whole) if one_by_one else cardinal(int(whole))
    if not mark:
        return read
    plain = len(fraction) <= 2 and fraction[0] != "0"
    tail = cardinal(int(fraction)) if plain else " ".join(_SMALL[int(digit)] for digit in fraction)
    return f"{read} {'virgule' if mark == ',' else 'point'} {tail}"


def ordinal(number: int) -> str:
    """ "premier", "deuxième", … up to what `cardinal` reads."""
    if number == 1:
        return "premier"
    words = cardinal(number)
    if words.endswith("cinq"):
        return words + "uième"
    if words.endswith("neuf"):
        return words[:-1] + "vième"
    return words.rstrip("e").removesuffix("s" if words.endswith("vingts") else "") + "ième"


def _clock(match: re.Match[str]) -> str:
    hour = cardinal(int(match[1])).replace("un", "une") if int(match[1]) in (1, 21) else cardinal(int(match[1]))
    minute = f" {cardinal(int(match[2]))}" if match[2] and int(match[2]) else ""
    return f"{hour} heure{'s' if int(match[1]) > 1 else ''}{minute}"


_WORDS = {
    "M.": "monsieur", "Mme": "madame", "Mlle": "mademoiselle", "Dr": "docteur", "etc.": "et cetera",
    "p. ex.": "par exemple",
    "km": "kilomètres", "kg": "kilos",
}  # fmt: skip
_RULES = (
    (
        re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(_WORDS, key=len, reverse=True))),
        lambda match: _WORDS[match[0]],
    ),
    (re.compile(r"(?<=\d)[\u00a0\u202f ](?=\d{3}(?!\d))"), lambda match: ""),
    (re.compile(r"(?<!\d)([01]?\d|2[0-3])\s?[:h]\s?([0-5]\d)?(?![\dA-Za-z])(?<!:)"), _clock),
    (re.compile(r"(?<!\d)1(?:er|re|ère)\b"), lambda match: "premier" if match[0].endswith("er") else "première"),
    (re.compile(r"(?<!\d)(\d{1,6})(?:e|ème|ième)\b"), lambda match: ordinal(int(match[1]))),
    (re.compile(rf"({_NUMBER})\s?%"), lambda match: amount(match[1]) + " pour cent"),
    (re.compile(rf"\$\s?({_NUMBER})|({_NUMBER})\s?\$"), lambda match: amount(match[1] or match[2]) + " dollars"),
    (re.compile(rf"€\s?({_NUMBER})|({_NUMBER})\s?€"), lambda match: amount(match[1] or match[2]) + " euros"),
    (re.compile(r"(?<=\d)\s?°\s?C?\b"), lambda match: " degrés"),
    (re.compile(r"(?<![\w.])[-−](?=\d)"), lambda match: "moins "),
    (re.compile(r"(?<=\d)\s?[-–]\s?(?=\d)"), lambda match: " à "),
    (re.compile(_NUMBER), lambda match: amount(match[0])),
    (re.compile(r"\s?\+\s?"), lambda match: " plus "),
    (re.compile(r"\s?=\s?"), lambda match: " égale "),
    (re.compile(r"\s?[×*]\s?"), lambda match: " fois "),
    (re.compile(r"&"), lambda match: " et "),
    (re.compile(r"@"), lambda match: " arobase "),
)  # fmt: skip


def read_numbers(spoken: Spoken) -> Spoken:
    """Every number, time, price, sign and common abbreviation as a person would read it."""
    for pattern, read in _RULES:
        spoken = spoken.sub(pattern, read)
    return spoken
