"""Katakana to the phonemes that Kokoro's Japanese voices were trained on (the kana table of misaki's cutlet). Pure."""

from services.tts.g2p.base import words

_SINGLE = dict(
    zip(
        "アイウエオカガキギクグケゲコゴサザシジスズセゼソゾタダチヂツヅテデトドナニヌネノ"
        "ハバパヒビピフブプヘベペホボポマミムメモヤユヨラリルレロワヰヱヲヴヵヶ",
        words(
            "a i ɯ e o ka ɡa kʲi ɡʲi kɯ ɡɯ ke ɡe ko ɡo sa ʣa ɕi ʥi sɨ zɨ se ze so zo ta da ʨi ʥi ʦɨ zɨ te de to do "
            "na ɲi nɯ ne no ha ba pa çi bʲi pʲi ɸɯ bɯ pɯ he be pe ho bo po ma mʲi mɯ me mo ja jɯ jo ɾa ɾʲi ɾɯ ɾe ɾo "
            "βa i e o vɯ ka ke"
        ),
        strict=True,
    )
)
_SMALL = {"ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o", "ャ": "a", "ュ": "ɨ", "ョ": "o", "ヮ": "a"}
# The consonant that a kana keeps before a small vowel, where it is not its own.
_BEFORE_SMALL = {
    "イ": "j", "ウ": "β", "ク": "kᵝ", "グ": "ɡᵝ", "フ": "ɸ", "ヴ": "v", "テ": "t", "デ": "d", "ト": "t", "ド": "d",
    "ツ": "ʦ", "ス": "s", "ズ": "z",
}  # fmt: skip
_PALATAL_BEFORE_SMALL_Y = {"テ": "tʲ", "デ": "dʲ", "フ": "ɸʲ", "ヴ": "bʲ"}
_PALATALISED = frozenset("tdɸvʦ")


def phonemes(kana: str) -> str:
    """The phonemes of a word in katakana; characters that are not katakana are left out."""
    found = ""
    for at, char in enumerate(kana):
        following = kana[at + 1] if at + 1 < len(kana) else ""
        if char == "ー":
            found += "ː"
        elif char == "ッ":
            found += "ʔ" if following not in _SMALL else ""
        elif char == "ン":
            found += _nasal(following)
        elif char in _SMALL:
            # A small vowel was spoken with the kana before it.
            found += _SMALL[char] if at == 0 or kana[at - 1] not in _SINGLE else ""
        elif following in _SMALL:
            found += _contracted(char, following)
        else:
            found += _SINGLE.get(char, "")
    return found


def _contracted(char: str, small: str) -> str:
    if char not in _SINGLE:
        return ""
    vowel = _SMALL[small]
    if small in "ャュョ":
        return _PALATAL_BEFORE_SMALL_Y.get(char, _SINGLE[char][:-1]) + vowel
    consonant = _BEFORE_SMALL.get(char, _SINGLE[char][:-1])
    return consonant + ("ʲ" if vowel == "i" and consonant in _PALATALISED else "") + vowel


def _nasal(following: str) -> str:
    sound = _SINGLE.get(following, "")
    if sound[:1] in ("m", "p", "b"):
        return "m"
    if sound[:1] in ("k", "ɡ"):
        return "ŋ"
    if sound[:1] in ("ɲ", "ʨ", "ʥ"):
        return "ɲ"
    return "n" if sound[:1] in ("n", "t", "d", "ɾ", "z") else "ɴ"


def to_katakana(text: str) -> str:
    """Hiragana as katakana; everything else unchanged."""
    return "".join(chr(ord(char) + 0x60) if "ぁ" <= char <= "ゖ" else char for char in text)
