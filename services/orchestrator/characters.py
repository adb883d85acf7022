"""Character classes that text for speech is judged by. Every function takes one character (or "")."""

import unicodedata

CJK_SENTENCE_MARKS = frozenset("。！？｡")
CJK_CLAUSE_MARKS = frozenset("，、；：､")
SENTENCE_MARKS = CJK_SENTENCE_MARKS | frozenset(".!?…؟۔।॥")
CLAUSE_MARKS = CJK_CLAUSE_MARKS | frozenset(",;:—–-،؛")
OPENERS = frozenset("([{“‘«‹„¿¡「『（【《〈〔［｛")
CJK_CLOSERS = frozenset("”’」』）】》〉〕］｝)]")
CLOSERS = CJK_CLOSERS | frozenset("\"'»›}")


def is_cjk(char: str) -> bool:
    """Han or kana: written without spaces, one character takes about as long to say as three letters."""
    code = ord(char) if char else 0
    return code >= 0x2E80 and (
        0x3041 <= code <= 0x30FF
        or 0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x3005 <= code <= 0x3007
        or 0xFF66 <= code <= 0xFF9F
        or 0xF900 <= code <= 0xFAFF
        or 0x2E80 <= code <= 0x2FDF
        or 0x3105 <= code <= 0x312F
        or 0x31F0 <= code <= 0x31FF
        or 0x20000 <= code <= 0x3FFFD
    )


def is_hiragana(char: str) -> bool:
    return "ぁ" <= char <= "ゟ"


def is_wide(char: str) -> bool:
    """Han, kana, or punctuation of the CJK and full-width blocks: no space belongs next to it."""
    return is_cjk(char) or "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uffef"


def is_arrow(char: str) -> bool:
    return "\u2190" <= char <= "\u21ff" or "\u27f0" <= char <= "\u27ff" or "\u2794" <= char <= "\u27be"


def continues_letter(char: str) -> bool:
    """Combining marks and joiners, which mean something only after a letter. Emoji selectors and keycaps are not."""
    if char in "\u200c\u200d":
        return True
    return unicodedata.category(char)[0] == "M" and not ("\ufe00" <= char <= "\ufe0f" or char == "\u20e3")


# Symbols by Unicode category, but units and signs that a text normaliser reads as words.
_SPOKEN_SYMBOLS = frozenset("°℃℉№㏄")
_SILENT_PUNCTUATION = frozenset("＊＃＿＼†‡※¶‣⁃")


def is_pictograph(char: str) -> bool:
    """True for what nobody says: emoji, dingbats, box drawing, modifiers, private and unassigned code points.

    Letters, numbers, punctuation, currency and mathematical signs are False, and so are squared units such as ㎡.
    """
    category = unicodedata.category(char)
    if category[0] in "LNP":
        return char in _SILENT_PUNCTUATION
    if category in ("Sc", "Sm"):
        return False
    return not (char in _SPOKEN_SYMBOLS or "\u3300" <= char <= "\u33ff")
