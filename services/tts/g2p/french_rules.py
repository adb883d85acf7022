"""French spelling to sound for words that no lexicon has: names, new words. Pure; about right, not a dictionary."""

import re

_V = "aeiouyàâäéèêëîïôöùûü"
# Tried in order at each position: (pattern at the position, sound). Lookbehind sees the word so far.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("eaux?", "o"), ("aux?(?=$)", "o"), ("au", "o"), ("oeu|œu", "œ"), ("œ", "ø"), ("eu[xt]?$", "ø"),
        ("eu", "œ"), ("où|oû|ou[xst]?$", "u"), (rf"ou(?=[{_V}])", "w"), ("ou", "u"), (f"oin(?![{_V}n])", "wɛ̃"),
        ("oi[xst]?$", "wa"), ("oî|oi", "wa"), (f"oy(?=[{_V}])", "waj"),
        (f"(?:ain|aim|ein|eim|yn|ym)(?![{_V}nm])", "ɛ̃"), (f"ien(?![{_V}n])", "jɛ̃"), (f"i[nm](?![{_V}nm])", "ɛ̃"),
        (f"(?:an|am|en|em)(?![{_V}nm])", "ɑ̃"), (f"o[nm](?![{_V}nm])", "ɔ̃"), (f"u[nm](?![{_V}nm])", "œ̃"),
        ("aille?s?$", "aj"), ("eille?s?$", "ɛj"), ("ouille?s?$", "uj"), ("aill", "aj"), ("eill", "ɛj"),
        ("ille?s?$", "ij"), (rf"ill(?=[{_V}])", "ij"), ("ai[sxt]?$", "ɛ"), ("aî|ai|ei", "ɛ"), ("ay", "ɛj"),
        ("tion", "sjɔ̃"), ("gn", "ɲ"), ("ch(?=[rl])", "k"), ("ch", "ʃ"), ("ph", "f"), ("th", "t"), ("rh", "ʁ"),
        ("qu", "k"), ("q", "k"), ("gu(?=[eiéèêy])", "ɡ"), ("ge(?=[aouâ])", "ʒ"), ("g(?=[eiéèêy])", "ʒ"),
        ("gg?", "ɡ"), ("cc(?=[eiéè])", "ks"), ("sc(?=[eiéèêy])", "s"), ("c(?=[eiéèêy])", "s"), ("ç", "s"),
        ("ck|cc?", "k"), (rf"(?<=[{_V}])s(?=[{_V}])", "z"), ("ss", "s"), ("er$", "e"), ("ez$", "e"), ("ets?$", "ɛ"),
        ("es?$", ""), ("ent$", ""), ("é", "e"), ("[èêë]", "ɛ"), (rf"e(?=[^{_V}]{{2}})", "ɛ"), ("e", "ə"),
        ("[àâa]", "a"), (rf"[iy](?=[{_V}])", "j"), ("[îïiy]", "i"), ("[ôöo]", "o"), (rf"u(?=[{_V}])", "ɥ"),
        ("[ùûüu]", "y"), ("[stdpxz]+$", ""), ("j", "ʒ"), ("r+", "ʁ"), ("ll?", "l"), ("mm?", "m"), ("nn?", "n"),
        ("pp?", "p"), ("tt?", "t"), ("ff?", "f"), ("bb?", "b"), ("dd?", "d"), ("x", "ks"), ("w", "w"),
        ("[vzsk]", "="), ("h", ""),
    )
)  # fmt: skip
_SYLLABIC = frozenset("aeiouyɛœøɔɑə")


def spell_out(word: str) -> str:
    """The phonemes of a lower-case word, without stress; none where nothing of it is French spelling."""
    sounds, at = "", 0
    while at < len(word):
        spelled, read = _next(word, at)
        if not read and spelled.startswith("e") and not _SYLLABIC & set(sounds):
            # Every word keeps a vowel.
            read = "ə"
        sounds += read
        at += max(len(spelled), 1)
    return sounds


def _next(word: str, at: int) -> tuple[str, str]:
    """The letters at `at` that are read together, and how."""
    for pattern, sound in _RULES:
        match = pattern.match(word, at)
        if match and match.group():
            return match.group(), match.group() if sound == "=" else sound
    return "", ""
