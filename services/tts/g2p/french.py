"""French: a lexicon (gruut's), rules for what it lacks, liaison, and stress as Kokoro's French voice expects it."""

import re
import sqlite3
from importlib.resources import as_file, files

from services.tts.g2p.base import Segment, words
from services.tts.g2p.french_numbers import read_numbers
from services.tts.g2p.french_rules import spell_out
from services.tts.text.clean import clean
from services.tts.text.spoken import Spoken

_TOKEN = re.compile(r"(?P<word>[^\W\d_]+(?:['’]|(?=\W|$|\d|_)))|(?P<space>\s+)|(?P<other>.)")
_COMPOUND = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)+")
_MARKS = {**{mark: mark for mark in ",.;:!?…—"}, "(": "(", ")": ")", "«": "“", "»": "”", "“": "“", "”": "”", '"': '"'}
# Words that lean on the next one and carry no stress.
_UNSTRESSED = frozenset(
    words(
        "le la les l un une des du de d à au aux et ou en y je j tu t il elle on nous vous ils elles me m te se s ce c "
        "ça cet cette ces mon ton son ma ta sa mes tes ses notre votre nos vos leur leurs qui que qu ne n dans sur par "
        "pour sans chez est es sont ai as a ont si très plus comme mais lui avec"
    )
)
# The consonant that these words lend to a following vowel.
_LIAISON = {
    **dict.fromkeys(
        words(
            "les des mes tes ses ces nos vos leurs aux nous vous ils elles dans chez sans très plus deux trois six dix "
            "quelques plusieurs mêmes autres grands petits pas sous"
        ),
        "z",
    ),
    **dict.fromkeys(words("un on en mon ton son bien rien aucun"), "n"),
    **dict.fromkeys(words("est sont ont petit grand quand tout cent vingt c'est"), "t"),
}
# Words that begin with a vowel sound and yet take no liaison.
_ASPIRATED = frozenset(
    words(
        "haut hauts haute hautes hasard héros honte huit huitième hors hibou homard hamster handicap hockey hall halte "
        "hanche haricot haricots hérisson hausse haine hâte hache hollande hollandais hongrie onze oui ouistiti yaourt "
        "yacht"
    )
)
_VOWEL_START = frozenset("aeiouyàâäéèêëîïôöùûühœ")
# Readings of the lexicon's first entry that running speech does not use, and words it lacks.
_READINGS = {
    "est": "ɛ", "les": "le", "des": "de", "mes": "me", "tes": "te", "ses": "se", "ces": "se", "plus": "ply",
    "tous": "tu", "fils": "fis", "six": "sis", "dix": "dis", "huit": "ɥit", "un": "œ̃", "et": "e", "que": "kə",
    "ne": "nə", "je": "ʒə", "le": "lə", "de": "də", "me": "mə", "te": "tə", "se": "sə", "ce": "sə", "qu": "k",
    "l": "l", "d": "d", "j": "ʒ", "n": "n", "s": "s", "c": "s", "m": "m", "t": "t", "jusqu": "ʒysk",
    "lorsqu": "lɔʁsk", "puisqu": "pɥisk", "quelqu": "kɛlk", "a": "a", "à": "a", "y": "i", "donc": "dɔ̃k", "os": "ɔs",
    "monsieur": "məsjø", "messieurs": "mesjø", "femme": "fam", "femmes": "fam", "ça": "sa", "aujourd'hui": "oʒuʁdɥi",
    "gens": "ʒɑ̃",
}  # fmt: skip
_BEFORE_CONSONANT = {"six": "si", "dix": "di", "huit": "ɥi", "cinq": "sɛ̃k"}
_NUCLEI = re.compile(r"[aeiouyɛœøɔɑə]\u0303?")
_FINAL_SCHWA = re.compile(r"ə$")
_LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        words("a be se de ə ɛf ʒe aʃ i ʒi ka ɛl ɛm ɛn o pe ky ɛʁ ɛs te y ve dubləve iks iɡʁɛk zɛd"),
        strict=True,
    )
)


class FrenchPhonemizer:
    """French phonemes, one segment a word. Loads 90,000 pronunciations, 20 MB of memory."""

    def __init__(self) -> None:
        with as_file(files("gruut_lang_fr") / "lexicon.db") as path:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            try:
                rows = connection.execute("SELECT word, phonemes FROM word_phonemes WHERE pron_order = 0")
                self._lexicon = {word: sounds.replace(" ", "") for word, sounds in rows}
            finally:
                connection.close()
        self._lexicon.update(_READINGS)

    def __call__(self, text: str) -> list[Segment]:
        spoken = read_numbers(clean(Spoken.of(text.replace("’", "'")), "point"))
        tokens = self._tokens(spoken.text)
        found: list[Segment] = []
        for number, (word, end) in enumerate(tokens):
            following = next((w for w, _ in tokens[number + 1 :] if not w.isspace() and w != "-"), "")
            found.append(Segment(self._phonemes(word, following.lower()), spoken.origins[end]))
        return found

    def _tokens(self, text: str) -> list[tuple[str, int]]:
        """Words, spaces and marks with the offset after them; a compound that the lexicon has stays whole."""
        found: list[tuple[str, int]] = []
        at = 0
        while at < len(text):
            compound = _COMPOUND.match(text, at)
            if compound and compound.group().lower() in self._lexicon:
                end = compound.end()
            else:
                token = _TOKEN.match(text, at)
                end = token.end() if token else at + 1
            found.append((text[at:end], end))
            at = end
        return found

    def _phonemes(self, text: str, following: str) -> str:
        if text.isspace() or text == "-":
            return " "
        if not text[0].isalpha():
            return _MARKS.get(text, "")
        if len(text) > 1 and text.isupper() and text.lower() not in self._lexicon:
            return " ".join(_stress(_LETTERS.get(letter, "")) for letter in text.lower())
        elided = text.endswith("'")
        word = text.lower().rstrip("'")
        before_vowel = following[:1] in _VOWEL_START and following[:1] != "" and following not in _ASPIRATED
        sounds = self._lexicon.get(word)
        if sounds is None:
            sounds = spell_out(word)
        if word in _BEFORE_CONSONANT and following[:1].isalpha() and not before_vowel:
            sounds = _BEFORE_CONSONANT[word]
        if word in _LIAISON and before_vowel and not elided:
            sounds = _linked(sounds, _LIAISON[word])
        if word.rpartition("'")[2] not in _UNSTRESSED:
            sounds = _stress(sounds)
        # The voices were trained on phonemes that write this glide as its vowel.
        return sounds.replace("ɥ", "y")


def _linked(sounds: str, consonant: str) -> str:
    return (sounds[:-1] if sounds[-1:] in ("s", "t") and consonant in ("z", "t") else sounds) + consonant


def _stress(sounds: str) -> str:
    """The stress mark before the last full vowel."""
    nuclei = list(_NUCLEI.finditer(_FINAL_SCHWA.sub("", sounds) or sounds))
    if not nuclei:
        return sounds
    at = nuclei[-1].start()
    return f"{sounds[:at]}ˈ{sounds[at:]}"
