"""Numbers and signs in Chinese text, written out in characters. Pure."""

import re

from services.tts.text.spoken import Spoken

_DIGITS = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_MOST_DIGITS = 16
_NUMBER = r"\d+(?:\.\d+)?"
_MEASURE = "个位本只条张件杯天次种名岁点块家辆座台双份年"


def digits(number: str) -> str:
    """Digit by digit: "2024" → "二零二四"."""
    return "".join(_DIGITS[int(digit)] for digit in number)


def cardinal(number: int) -> str:
    """An integer from 0 to 10^16 - 1 in characters: 10250 → "一万零二百五十"."""
    if number == 0:
        return _DIGITS[0]
    groups: list[int] = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    words = ""
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if group:
            # A gap before this group's first digit is read as one zero.
            gap = words and (group < 1_000 or groups[place + 1] == 0)
            words += ("零" if gap else "") + _thousands(group) + _GROUPS[place]
    return words[1:] if words.startswith("一十") else words


def _thousands(group: int) -> str:
    words, zero = "", False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if digit:
            words += ("零" if zero else "") + _DIGITS[digit] + _UNITS[place]
            zero = False
        else:
            zero = bool(words)
    return words


def amount(number: str) -> str:
    """A number as written, "3.5" → "三点五". A leading zero or more than 16 digits are read one by one."""
    whole, _, fraction = number.partition(".")
    one_by_one = (len(whole) > 1 and whole[0] == "0") or len(whole) > _MOST_DIGITS
    read = digits(whole) if one_by_one else cardinal(int(whole))
    return read + ("点" + digits(fraction) if fraction else "")


def _clock(match: re.Match[str]) -> str:
    minute = int(match[2])
    tail = "" if minute == 0 else ("零" if minute < 10 else "") + cardinal(minute) + "分"
    hour = "两" if int(match[1]) == 2 else cardinal(int(match[1]))
    return hour + "点" + tail


_RULES = (
    (re.compile(r"(?<=\d)[,，](?=\d{3}(?!\d))"), lambda match: ""),
    (
        re.compile(r"(?<!\d)(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)"),
        lambda match: f"{digits(match[1])}年{cardinal(int(match[2]))}月{cardinal(int(match[3]))}日",
    ),
    (re.compile(r"(?<!\d)(\d{4})(?=\s?年)"), lambda match: digits(match[1])),
    (re.compile(r"(?<!\d)([01]?\d|2[0-3])[:：]([0-5]\d)(?!\d)"), _clock),
    (re.compile(rf"({_NUMBER})\s?[%％]"), lambda match: "百分之" + amount(match[1])),
    (re.compile(rf"[¥￥]\s?({_NUMBER})"), lambda match: amount(match[1]) + "元"),
    (re.compile(rf"\$\s?({_NUMBER})"), lambda match: amount(match[1]) + "美元"),
    (re.compile(rf"€\s?({_NUMBER})"), lambda match: amount(match[1]) + "欧元"),
    (re.compile(rf"£\s?({_NUMBER})"), lambda match: amount(match[1]) + "英镑"),
    (re.compile(r"℃|°C"), lambda match: "摄氏度"),
    (re.compile(r"°"), lambda match: "度"),
    (re.compile(r"(?<!\d)1\d{10}(?!\d)"), lambda match: digits(match[0])),
    (re.compile(r"(?<=\d)\s?[-–~～]\s?(?=\d)"), lambda match: "到"),
    (re.compile(r"(?<![\w.])[-−](?=\d)"), lambda match: "负"),
    (re.compile(rf"(?<![\d.])2(?=[{_MEASURE}])"), lambda match: "两"),
    (re.compile(_NUMBER), lambda match: amount(match[0])),
    (re.compile(r"\+"), lambda match: "加"),
    (re.compile(r"="), lambda match: "等于"),
    (re.compile(r"[×*]"), lambda match: "乘以"),
    (re.compile(r"÷"), lambda match: "除以"),
    (re.compile(r"&"), lambda match: "和"),
)  # fmt: skip


def read_numbers(spoken: Spoken) -> Spoken:
    """Every number, date, time, price and sign as a person would read it."""
    for pattern, read in _RULES:
        spoken = spoken.sub(pattern, read)
    return spoken
