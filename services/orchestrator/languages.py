"""Which language a reply is written in, as far as its script tells, and what languages are called in English."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Final

LATIN: Final = "LATIN"
_HAN: Final = "CJK"
_KANA: Final = "KANA"

_LANGUAGES_OF_SCRIPT: Final[dict[str, tuple[str, ...]]] = {
    _KANA: ("ja",),
    _HAN: ("zh", "yue", "ja"),
    "HANGUL": ("ko",),
    "CYRILLIC": ("ru", "uk", "be", "bg", "sr", "mk", "kk", "mn", "tg", "tt", "ba", "ky"),
    "ARABIC": ("ar", "fa", "ur", "ps", "sd", "ug"),
    "DEVANAGARI": ("hi", "mr", "ne", "sa"),
    "HEBREW": ("he", "yi"),
    "BENGALI": ("bn", "as"),
    "GREEK": ("el",),
    "THAI": ("th",),
    "LAO": ("lo",),
    "KHMER": ("km",),
    "MYANMAR": ("my",),
    "TIBETAN": ("bo",),
    "GEORGIAN": ("ka",),
    "ARMENIAN": ("hy",),
    "ETHIOPIC": ("am", "ti"),
    "TAMIL": ("ta",),
    "TELUGU": ("te",),
    "KANNADA": ("kn",),
    "MALAYALAM": ("ml",),
    "GUJARATI": ("gu",),
    "GURMUKHI": ("pa",),
    "SINHALA": ("si",),
}
"""By the first word of the script's character names in Unicode. The first language is the guess where nothing tells."""

_ALSO_LATIN = frozenset({"sr"})
_NOT_LATIN = frozenset().union(*_LANGUAGES_OF_SCRIPT.values()) - _ALSO_LATIN

_TELLING_LETTERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "CYRILLIC": (("uk", "їєґ"), ("be", "ў"), ("sr", "ђћ"), ("mk", "ѓќѕ"), ("kk", "ұқғ"), ("mn", "өү")),
    "ARABIC": (("ur", "ٹڈڑں"), ("ps", "ښځ"), ("fa", "پچگژ")),
}
"""Letters that, among the languages of their script, point to one; asked in this order."""

_CJK_LETTERS: Final = 3
"""A Han or kana character says about as much as three letters."""

_SPOKEN_SHARE: Final = 0.2
"""Part of the text in the spoken language's script that is enough: Japanese may well be half names in Latin letters."""

_KANA_SHARE: Final = 0.1
"""Part of the Han and kana that is kana in any Japanese sentence; a lone の in a Chinese name is less."""

_QUOTED = re.compile(r"“[^”]*”|「[^」]*」|『[^』]*』|«[^»]*»|《[^》]*》|\"[^\"]*\"")


def reply_language(text: str, spoken: str) -> str:
    """ISO 639-1 code of the language that a voice should read `text` in; `spoken` is the person's language.

    The script decides: kana is Japanese, Han without kana Chinese (Japanese or Cantonese if that is spoken), Hangul
    Korean, and so on. Where several languages share a script, the spoken one if it does, else what single letters tell,
    else the most common. Latin script is the spoken language, or English if that is written otherwise. Quoted words
    count only where there are no others. Text without letters is in the spoken language.
    """
    scripts = _scripts(_QUOTED.sub(" ", text)) or _scripts(text)
    if not scripts:
        return spoken
    total = scripts.total()
    east_asian = scripts[_HAN] + scripts[_KANA]
    if spoken == "ja" and east_asian >= total * _SPOKEN_SHARE:
        return spoken
    japanese = scripts[_KANA] > east_asian * _KANA_SHARE
    if japanese:
        scripts[_KANA] = scripts.pop(_HAN, 0) + scripts[_KANA]
    for script, count in scripts.items():
        if count >= total * _SPOKEN_SHARE and spoken in _LANGUAGES_OF_SCRIPT.get(script, ()):
            return spoken
    script, _ = scripts.most_common(1)[0]
    if script == LATIN:
        return spoken if spoken not in _NOT_LATIN else "en"
    return _language_of(script, text, spoken)


def _language_of(script: str, text: str, spoken: str) -> str:
    languages = _LANGUAGES_OF_SCRIPT[script]
    if spoken in languages:
        return spoken
    letters = set(text.lower())
    for language, telling in _TELLING_LETTERS.get(script, ()):
        if not letters.isdisjoint(telling):
            return language
    return languages[0]


def _scripts(text: str) -> Counter[str]:
    """How many letters of each known script the text has, Han and kana weighted by what they say."""
    counts: Counter[str] = Counter()
    for char in unicodedata.normalize("NFKC", text):
        script = _script(char)
        if script:
            counts[script] += _CJK_LETTERS if script in (_HAN, _KANA) else 1
    return counts


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    if not char.isalpha():
        return ""
    script = unicodedata.name(char, "").partition(" ")[0]
    if script in ("HIRAGANA", "KATAKANA"):
        return _KANA
    return script if script == LATIN or script in _LANGUAGES_OF_SCRIPT else ""


def language_name(code: str) -> str:
    """English name of a language that Whisper knows: "zh" → "Chinese". A code it does not know is returned as it is."""
    return _NAMES.get(code, code)


_NAMES: Final = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "as": "Assamese", "az": "Azerbaijani", "ba": "Bashkir",
    "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali", "bo": "Tibetan", "br": "Breton", "bs": "Bosnian",
    "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fo": "Faroese",
    "fr": "French", "gl": "Galician", "gu": "Gujarati", "ha": "Hausa", "haw": "Hawaiian", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "ht": "Haitian Creole", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian",
    "is": "Icelandic", "it": "Italian", "ja": "Japanese", "jw": "Javanese", "ka": "Georgian", "kk": "Kazakh",
    "km": "Khmer", "kn": "Kannada", "ko": "Korean", "la": "Latin", "lb": "Luxembourgish", "ln": "Lingala", "lo": "Lao",
    "lt": "Lithuanian", "lv": "Latvian", "mg": "Malagasy", "mi": "Maori", "mk": "Macedonian", "ml": "Malayalam",
    "mn": "Mongolian", "mr": "Marathi", "ms": "Malay", "mt": "Maltese", "my": "Burmese", "ne": "Nepali", "nl": "Dutch",
    "nn": "Norwegian Nynorsk", "no": "Norwegian", "oc": "Occitan", "pa": "Punjabi", "pl": "Polish", "ps": "Pashto",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sa": "Sanskrit", "sd": "Sindhi", "si": "Sinhala",
    "sk": "Slovak", "sl": "Slovenian", "sn": "Shona", "so": "Somali", "sq": "Albanian", "sr": "Serbian",
    "su": "Sundanese", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "tg": "Tajik", "th": "Thai",
    "tk": "Turkmen", "tl": "Tagalog", "tr": "Turkish", "tt": "Tatar", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek",
    "vi": "Vietnamese", "yi": "Yiddish", "yo": "Yoruba", "yue": "Cantonese", "zh": "Chinese",
}  # fmt: skip
