"""Numbers, counters and signs in Japanese text, written out in katakana as they are pronounced. Pure."""

import re

from services.tts.g2p.base import words
from services.tts.text.spoken import Spoken

_DIGITS = ("ゼロ", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュー")
_HUNDREDS = {3: "サンビャク", 6: "ロッピャク", 8: "ハッピャク"}
_THOUSANDS = {3: "サンゼン", 8: "ハッセン"}
_GROUPS = ("", "マン", "オク", "チョー")
_MOST_DIGITS = 16
_NUMBER = r"\d+(?:\.\d+)?"
_TSU = ("ヒトツ", "フタツ", "ミッツ", "ヨッツ", "イツツ", "ムッツ", "ナナツ", "ヤッツ", "ココノツ")
_DAYS = {
    1: "ツイタチ", 2: "フツカ", 3: "ミッカ", 4: "ヨッカ", 5: "イツカ", 6: "ムイカ", 7: "ナノカ", 8: "ヨーカ",
    9: "ココノカ", 10: "トーカ", 14: "ジューヨッカ", 20: "ハツカ", 24: "ニジューヨッカ",
}  # fmt: skip
# Counters: the plain one, then what number and counter become together where the number ends in one of these.
_COUNTERS: dict[str, tuple[str, str]] = {
    "時": ("ジ", "ヨン:ヨジ ナナ:シチジ キュー:クジ"),
    "月": ("ガツ", "ヨン:シガツ ナナ:シチガツ キュー:クガツ"),
    "年": ("ネン", "ヨン:ヨネン"),
    "円": ("エン", "ヨン:ヨエン"),
    "分": ("フン", "イチ:イップン サン:サンプン ヨン:ヨンプン ロク:ロップン ハチ:ハップン ジュー:ジュップン"),
    "本": ("ホン", "イチ:イッポン サン:サンボン ロク:ロッポン ハチ:ハッポン ジュー:ジュッポン"),
    "匹": ("ヒキ", "イチ:イッピキ サン:サンビキ ロク:ロッピキ ハチ:ハッピキ ジュー:ジュッピキ"),
    "杯": ("ハイ", "イチ:イッパイ サン:サンバイ ロク:ロッパイ ハチ:ハッパイ ジュー:ジュッパイ"),
    "回": ("カイ", "イチ:イッカイ ロク:ロッカイ ハチ:ハッカイ ジュー:ジュッカイ"),
    "個": ("コ", "イチ:イッコ ロク:ロッコ ハチ:ハッコ ジュー:ジュッコ"),
    "歳": ("サイ", "イチ:イッサイ ハチ:ハッサイ ジュー:ジュッサイ"),
    "冊": ("サツ", "イチ:イッサツ ハチ:ハッサツ ジュー:ジュッサツ"),
}  # fmt: skip


def cardinal(number: int) -> str:
    """An integer from 0 to 10^16 - 1: 3800 → "サンゼンハッピャク"."""
    if number == 0:
        return _DIGITS[0]
    read, place = "", 0
    while number:
        number, group = divmod(number, 10_000)
        if group:
            part = _thousands(group)
            if place == 3 and part.endswith("イチ"):
                part = part.removesuffix("イチ") + "イッ"
            read = part + _GROUPS[place] + read
        place += 1
    return read


def _thousands(group: int) -> str:
    read = ""
    for place, name, irregular in ((1_000, "セン", _THOUSANDS), (100, "ヒャク", _HUNDREDS), (10, "ジュー", {})):
        digit, group = divmod(group, place)
        if digit:
            read += irregular.get(digit, ("" if digit == 1 else _DIGITS[digit]) + name)
    return read + (_DIGITS[group] if group else "")


def amount(number: str) -> str:
    """A number as written: "3.5" → "サンテンゴ". A leading zero or more than 16 digits are read one by one."""
    whole, _, fraction = number.partition(".")
    one_by_one = (len(whole) > 1 and whole[0] == "0") or len(whole) > _MOST_DIGITS
    read = "".join(_DIGITS[int(digit)] for digit in whole) if one_by_one else cardinal(int(whole))
    return read + ("テン" + "".join(_DIGITS[int(digit)] for digit in fraction) if fraction else "")


def counted(number: int, counter: str) -> str:
    """A number with one of the irregular counters: (3, "本") → "サンボン"."""
    if counter == "人":
        return {1: "ヒトリ", 2: "フタリ", 4: "ヨニン"}.get(number, cardinal(number) + "ニン")
    if counter == "日":
        return _DAYS.get(number, cardinal(number) + "ニチ")
    if counter == "つ":
        return _TSU[number - 1] if 1 <= number <= len(_TSU) else cardinal(number) + "ツ"
    read, (plain, together) = cardinal(number), _COUNTERS[counter]
    for pair in words(together):
        ending, _, reading = pair.partition(":")
        if read.endswith(ending):
            return read.removesuffix(ending) + reading
    return read + plain


_RULES = (
    (re.compile(r"(?<=\d)[,，](?=\d{3}(?!\d))"), lambda match: ""),
    (
        re.compile(r"(?<!\d)(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)"),
        lambda match: " ".join(counted(int(match[n]), counter) for n, counter in enumerate("年月日", 1)) + " ",
    ),
    (
        re.compile(r"(?<!\d)([01]?\d|2[0-3])[:：]([0-5]\d)(?!\d)"),
        lambda match: counted(int(match[1]), "時") + (counted(int(match[2]), "分") if int(match[2]) else ""),
    ),
    (re.compile(rf"({_NUMBER})\s?[%％]"), lambda match: amount(match[1]) + "パーセント"),
    (re.compile(rf"[¥￥]\s?({_NUMBER})"), lambda match: amount(match[1]) + "エン"),
    (re.compile(rf"\$\s?({_NUMBER})"), lambda match: amount(match[1]) + "ドル"),
    (re.compile(rf"€\s?({_NUMBER})"), lambda match: amount(match[1]) + "ユーロ"),
    (re.compile(r"℃|°C"), lambda match: "ド"),
    (re.compile(r"(?<=\d)\s?[-–~～〜]\s?(?=\d)"), lambda match: "から"),
    (re.compile(r"(?<![\w.])[-−](?=\d)"), lambda match: "マイナス"),
    (
        re.compile(rf"(?<![\d.])(\d{{1,12}})([つ人日{''.join(_COUNTERS)}])(?![間目本])"),
        lambda match: counted(int(match[1]), match[2]) + " ",
    ),
    (re.compile(_NUMBER), lambda match: amount(match[0])),
    (re.compile(r"\+"), lambda match: "プラス"),
    (re.compile(r"="), lambda match: "イコール"),
    (re.compile(r"&"), lambda match: "アンド"),
)


def read_numbers(spoken: Spoken) -> Spoken:
    """Every number, date, time, price and sign as a person would read it."""
    for pattern, read in _RULES:
        spoken = spoken.sub(pattern, read)
    return spoken
