"""Numbers and signs in Spanish text, written out in words. Pure."""

import re

from services.tts.g2p.base import words
from services.tts.text.spoken import Spoken

_SMALL = words(
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
)
_TENS = ("", "", "", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")
_HUNDREDS = (
    "", "ciento", "doscientos", "trescientos", "cuatrocientos", "quinientos", "seiscientos", "setecientos",
    "ochocientos", "novecientos",
)  # fmt: skip
_MOST_DIGITS = 12
_NUMBER = r"\d+(?:[.,]\d+)?"


def cardinal(number: int) -> str:
    """An integer from 0 to 10^12 - 1: 1250 → "mil doscientos cincuenta"."""
    if number < len(_SMALL):
        return _SMALL[number]
    if number < 100:
        tens, units = divmod(number, 10)
        return _TENS[tens] + (f" y {_SMALL[units]}" if units else "")
    if number == 100:
        return "cien"
    if number < 1_000:
        hundreds, rest = divmod(number, 100)
        return _HUNDREDS[hundreds] + (f" {cardinal(rest)}" if rest else "")
    if number < 1_000_000:
        thousands, rest = divmod(number, 1_000)
        head = "mil" if thousands == 1 else f"{_before_noun(cardinal(thousands))} mil"
    else:
        millions, rest = divmod(number, 1_000_000)
        head = "un millón" if millions == 1 else f"{_before_noun(cardinal(millions))} millones"
    return head + (f" {cardinal(rest)}" if rest else "")


def _before_noun(words: str) -> str:
    if words.endswith("veintiuno"):
        return words[: -len("veintiuno")] + "veintiún"
    return words[:-1] if words.endswith("uno") else words


def amount(number: str) -> str:
    """A number as written, with a decimal comma or point. Leading zeros and very long numbers go digit by digit."""
    whole, mark, fraction = re.split(r"([.,])", number) if re.search(r"[.,]", number) else (number, "", "")
    one_by_one = (len(whole) > 1 and whole[0] == "0") or len(whole) > _MOST_DIGITS
    read = " ".join(_SMALL[int(digit)] for digit in whole) if one_by_one else cardinal(int(whole))
    if not mark:
        return read
    plain = len(fraction) <= 2 and fraction[0] != "0"
    tail = cardinal(int(fraction)) if plain else " ".join(_SMALL[int(digit)] for digit in fraction)
    return f"{read} {'coma' if mark == ',' else 'punto'} {tail}"


def _money(match: re.Match[str], singular: str, plural: str) -> str:
    return f"un {singular}" if match[1] == "1" else f"{_before_noun(amount(match[1]))} {plural}"


def _clock(match: re.Match[str]) -> str:
    hour = cardinal(int(match[1])).replace("uno", "una")
    return hour + (f" y {cardinal(int(match[2]))}" if int(match[2]) else " en punto")


_WORDS = {
    "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Dr.": "doctor", "Dra.": "doctora", "Ud.": "usted",
    "Uds.": "ustedes", "p. ej.": "por ejemplo", "etc.": "etcétera", "EE. UU.": "Estados Unidos",
    "EE.UU.": "Estados Unidos",    "km": "kilómetros", "kg": "kilos",
}  # fmt: skip
_RULES = (
    (
        re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(_WORDS, key=len, reverse=True))),
        lambda match: _WORDS[match[0]],
    ),
    (re.compile(r"(?<=\d)[.\u00a0\u202f ](?=\d{3}(?!\d))"), lambda match: ""),
    (re.compile(r"(?<!\d)([01]?\d|2[0-3])[:h]([0-5]\d)(?!\d)"), _clock),
    (re.compile(rf"({_NUMBER})\s?%"), lambda match: amount(match[1]) + " por ciento"),
    (re.compile(rf"\$\s?({_NUMBER})"), lambda match: _money(match, "dólar", "dólares")),
    (re.compile(rf"({_NUMBER})\s?\$"), lambda match: _money(match, "dólar", "dólares")),
    (re.compile(rf"€\s?({_NUMBER})"), lambda match: _money(match, "euro", "euros")),
    (re.compile(rf"({_NUMBER})\s?€"), lambda match: _money(match, "euro", "euros")),
    (re.compile(r"(?<=\d)\s?°\s?C\b"), lambda match: " grados"),
    (re.compile(r"(?<=\d)\s?°"), lambda match: " grados"),
    (re.compile(r"(?<![\w.])[-−](?=\d)"), lambda match: "menos "),
    (re.compile(r"(?<=\d)\s?[-–]\s?(?=\d)"), lambda match: " a "),
    (
        re.compile(rf"{_NUMBER}(?=\s+(?:años|euros|dólares|días|meses|minutos|libros))"),
        lambda match: _before_noun(amount(match[0])),
    ),
    (re.compile(_NUMBER), lambda match: amount(match[0])),
    (re.compile(r"\s?\+\s?"), lambda match: " más "),
    (re.compile(r"\s?=\s?"), lambda match: " igual a "),
    (re.compile(r"\s?[×*]\s?"), lambda match: " por "),
    (re.compile(r"&"), lambda match: " y "),
    (re.compile(r"@"), lambda match: " arroba "),
)  # fmt: skip


def read_numbers(spoken: Spoken) -> Spoken:
    """Every number, time, price, sign and common abbreviation as a person would read it."""
    for pattern, read in _RULES:
        spoken = spoken.sub(pattern, read)
    return spoken
