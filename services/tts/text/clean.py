"""What no language reads out: markdown, emoji, bare links. Pure."""

import re
import unicodedata
from collections.abc import Callable

from services.tts.text.spoken import Spoken

_IMAGE_OR_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_FENCE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.MULTILINE)
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]*|[-*+•][ \t]+)", re.MULTILINE)
_EMPHASIS = re.compile(r"\*\*+|__+|~~+|`+|(?<!\w)[*_](?=\w)|(?<=[\w.,!?…])[*_](?!\w)")
_TABLE_BAR = re.compile(r"[ \t]*\|[ \t]*")
_URL = re.compile(
    r"(?:https?|ftp)://(?:www\.)?([^\s/?#)>\]，。）、]+)(?:[/?#][^\s)>\]，。）、]*)?|www\.([^\s/?#)>\]]+)\S*"
)
_TRAILING = ".,;:!?"
_BLANK = re.compile(r"\s+")
# So: emoji and dingbats; Sk: modifiers; Cs, Co, Cn, Cf, Cc: nothing a voice could say. Spaces survive.
_SILENT_CATEGORIES = frozenset({"So", "Sk", "Cs", "Co", "Cn", "Cf", "Cc"})
# Signs of these categories that languages do read.
_READ_SIGNS = frozenset("°℃℉^")
_VARIATION = re.compile(r"[\uFE00-\uFE0F\u20E3]")


def clean(spoken: Spoken, dot: str) -> Spoken:
    """The text without marks that are not speech; a URL becomes its host, its dots spoken as `dot`."""
    for pattern, replacement in (
        (_FENCE, " "),
        (_RULE, " "),
        (_IMAGE_OR_LINK, r"\1"),
        (_LINE_MARK, ""),
        (_URL, _host(dot)),
        (_EMPHASIS, ""),
        (_TABLE_BAR, " "),
        (_VARIATION, ""),
    ):
        spoken = spoken.sub(pattern, replacement)
    silent = {char for char in set(spoken.text) if is_silent(char)}
    if silent:
        spoken = spoken.sub(re.compile("[" + re.escape("".join(sorted(silent))) + "]"), " ")
    return spoken.sub(_BLANK, " ")


def is_silent(char: str) -> bool:
    """Whether no language reads `char`: emoji, pictures, control characters."""
    return unicodedata.category(char) in _SILENT_CATEGORIES and char not in _READ_SIGNS and not char.isspace()


def has_speech(text: str) -> bool:
    """Whether anything in `text` can be said: a letter or a digit."""
    return any(char.isalnum() for char in text)


def _host(dot: str) -> "Callable[[re.Match[str]], str]":
    def spoken_host(match: re.Match[str]) -> str:
        host = match.group(1) or match.group(2)
        tail = match.group()[len(match.group().rstrip(_TRAILING)) :]
        return host.rstrip(_TRAILING).split(":")[0].replace(".", f" {dot} ") + tail

    return spoken_host
