"""Is what the microphone heard during a reply an interruption? Pure: two texts in, a verdict out."""

import re
import unicodedata

# Short sounds with which a listener says "go on" (Yngve 1970 calls them backchannels); only as all that was said.
BACKCHANNELS = frozenset(
    {
        *("mm", "mhm", "mmhm", "mmhmm", "hm", "hmm", "uhhuh", "uh", "huh", "um", "ah", "oh", "aha", "ahh"),
        *("yeah", "yep", "yes", "yup", "ok", "okay", "right", "sure", "i see", "got it", "uh huh", "mm hm", "mm hmm"),
        *(
            "嗯",
            "嗯嗯",
            "哦",
            "噢",
            "啊",
            "呃",
            "对",
            "好",
            "好的",
            "是",
            "是的",
            "对对",
            "はい",
            "うん",
            "ええ",
            "へえ",
            "そう",
        ),
        *("sí", "si", "vale", "ajá", "claro", "oui", "ouais", "d accord", "bien", "ja", "genau"),
    }
)
# Share of heard words that the loudspeaker must have just said for them to count as its echo.
ECHO_OVERLAP = 0.75


def words(text: str) -> list[str]:
    """The words of `text`, folded for comparison; a Han or kana character is a word of its own."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\u2019", "").replace("-", "")
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+", folded)


def is_backchannel(text: str) -> bool:
    """Whether `text` is nothing but listener sounds."""
    heard = words(text)
    if not heard:
        return True
    joined = "".join(heard) if any(len(word) == 1 and not word.isascii() for word in heard) else " ".join(heard)
    return joined in BACKCHANNELS or all(word in BACKCHANNELS for word in heard)


def is_echo(text: str, spoken: str) -> bool:
    """Whether `text` is what the loudspeaker just said (`spoken`), picked up by the microphone.

    Two words at least must agree: one common word proves nothing.
    """
    heard, said = words(text), set(words(spoken))
    matched = sum(word in said for word in heard)
    return matched >= 2 and matched >= ECHO_OVERLAP * len(heard)


def is_interruption(text: str, spoken: str) -> bool:
    """Whether `text`, heard while `spoken` was being said, takes the floor."""
    return not is_backchannel(text) and not is_echo(text, spoken)
