"""Whether a text breaks off: the words and marks that hardly any sentence ends with. Pure."""

from services.orchestrator.characters import CLAUSE_MARKS, is_cjk
from services.orchestrator.interruption import words

SENTENCE_WORDS = 4
"""A shorter text is an answer, or a beginning."""
_CLAUSE_WORDS = 8
"""A longer text that begins with "if" holds its main clause, too."""
_CHARACTER_WORDS = 0.7
"""Words in a Han or kana character."""

_PREPOSITIONS = frozenset(("to", "of", "with", "from", "into", "for", "about", "at"))
# Only words that end hardly any sentence of their own language, nor of another one here. English "on" ends "turn it on"
# and German "an" the same, so neither is among them.
_ENDS_NO_SENTENCE = _PREPOSITIONS | frozenset(
    (
        *("a", "the", "my", "your", "our", "their", "and", "but", "or", "because", "if", "whether", "than"),
        *("although", "unless", "um", "uh", "er", "erm", "uhm", "hmm"),
        *("y", "o", "pero", "porque", "que", "de", "del", "para", "por", "con", "un", "una", "el", "la", "los"),
        *("las", "en", "al", "su", "eh"),
        *("et", "ou", "mais", "pour", "avec", "une", "le", "les", "des", "au", "aux", "dans", "chez", "euh"),
        *("und", "aber", "weil", "dass", "ob", "für", "von", "vom", "der", "dem", "den", "im", "zum", "zur"),
        *("eine", "einen", "einem", "einer", "äh", "ähm"),
    )
)
_CJK_ENDS_NO_SENTENCE = (
    *("和", "跟", "或者", "但是", "可是", "因为", "所以", "如果", "的话", "的时候", "嗯", "呃"),
    *("を", "けれども", "えっと", "ええと", "あの"),
)
# With one of these, an English sentence may well end with a preposition: "what are you waiting for".
_STRANDS = frozenset(("what", "where", "who", "which", "whats", "wheres", "whos"))
# They open a clause which another one has to follow.
_OPENS_CLAUSE = frozenset(
    (
        *("if", "when", "because", "although", "though", "after", "before", "unless", "since", "once", "whenever"),
        *("as", "while"),
        *("si", "cuando", "porque", "aunque", "mientras"),
        *("quand", "lorsque", "puisque", "parce", "comme"),
        *("wenn", "weil", "obwohl", "falls", "bevor", "nachdem", "sobald"),
    )
)
_CJK_OPENS_CLAUSE = ("如果", "要是", "因为", "虽然", "既然")


def length(text: str) -> float:
    """Words in `text`, roughly; the same measure for scripts that do not part them."""
    return sum(_CHARACTER_WORDS if is_cjk(word[0]) else 1 for word in words(text))


def is_question(text: str) -> bool:
    """Whether `text` ends with a question mark."""
    return text.rstrip().endswith(("?", "？", "؟"))


def is_unfinished(text: str) -> bool:
    """Whether `text` ends with a mark or a word that something must follow, or is a clause that needs another one."""
    said = words(text)
    if not said:
        return False
    if text.rstrip().endswith(("...", "…", *CLAUSE_MARKS)):
        return True
    run = "".join(said)
    if len(said) > 1 and (said[-1] in _ENDS_NO_SENTENCE or run.endswith(_CJK_ENDS_NO_SENTENCE)):
        return said[-1] not in _PREPOSITIONS or _STRANDS.isdisjoint(said)
    if not SENTENCE_WORDS <= length(text) <= _CLAUSE_WORDS or is_question(text):
        return False
    opens = said[0] in _OPENS_CLAUSE or run.startswith(_CJK_OPENS_CLAUSE)
    return opens and not any(mark in text for mark in CLAUSE_MARKS)
