"""Did a dialogue go as its script says? Pure: a script and a record in, what is wrong out."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from client.sound.speech import guess_language
from client.turns import audible_span
from services.stt.word_errors import word_errors
from tests.fleet.dialogue.journal import HeardReply, HeardTurn, Record
from tests.fleet.dialogue.script import Dialogue, Interrupt, Reply, Say
from tests.fleet.dialogue.words import closest_prefix, contains, words

PAUSE_MS = 100.0
"""A gap from which on a listener notices that a reply has paused."""
TOLERANCE_WORDS = 1
"""By so many words a witness may be wrong."""
TOLERANCE_AT_A_CUT = 2
"""By so many words the history may differ from what was heard: the cut may go through one word, and the recogniser
often leaves out the short one before it. `voxfleet bench barge-in` has the exact figures."""
_MISHEARD = 0.3
"""Share of the words that the recogniser may have misunderstood; with more it is no witness."""
_UNLIKE = 0.5
"""Share of the words in which a reply's voice and its transcript may differ before it counts as another text."""


def judge(dialogue: Dialogue, record: Record) -> list[str]:
    """What is wrong, a sentence each; nothing where the dialogue went as it should."""
    problems = list(record.errors)
    problems += _count("turns of the person", len(dialogue.turns), [turn.text for turn in record.turns])
    problems += _count("replies", len(dialogue.replies), [reply.text for reply in record.replies])
    for number, (said, turn) in enumerate(zip(dialogue.turns, record.turns, strict=False), 1):
        problems += (f"turn {number}: {problem}" for problem in _turn(said, turn))
    for number, (wanted, reply) in enumerate(zip(dialogue.replies, record.replies, strict=False), 1):
        problems += (f"reply {number}: {problem}" for problem in _reply(wanted, reply))
    return problems


def _count(what: str, expected: int, found: Sequence[str]) -> Iterator[str]:
    if len(found) != expected:
        yield f"expected {expected} {what}, found {len(found)}: {list(found)}"


def _turn(said: Say | Interrupt, turn: HeardTurn) -> Iterator[str]:
    for phrase in said.understood:
        if not contains(turn.text, phrase):
            yield f"expected {phrase!r} to be understood, understood {turn.text!r}"
    if turn.history != turn.text:
        yield f"the history has {turn.history!r}, the transcript was {turn.text!r}"


def _reply(wanted: Reply, reply: HeardReply) -> Iterator[str]:
    ending = "interrupted" if reply.interrupted else reply.status or "unfinished"
    if ending != wanted.reply:
        yield f"expected it to be {wanted.reply}, it was {ending} {reply.reason}".rstrip()
    if wanted.says and not any(contains(reply.text, phrase) for phrase in wanted.says):
        yield f"expected one of {list(wanted.says)} in its text, found {reply.text!r}"
    if wanted.says and not any(contains(reply.aloud, phrase) for phrase in wanted.says):
        yield f"expected one of {list(wanted.says)} to be heard, heard {reply.aloud!r}"
    for phrase in wanted.never_says:
        # A mark is no word: in the text it is looked for as it stands.
        if phrase in reply.text or (words(phrase) and contains(reply.text, phrase)):
            yield f"expected {phrase!r} not to be in its text, found {reply.text!r}"
        if words(phrase) and contains(reply.aloud, phrase):
            yield f"expected {phrase!r} not to be heard, heard {reply.aloud!r}"
    if wanted.language is not None:
        for what, text in (("its text is in", reply.text), ("it is heard in", reply.aloud)):
            if (language := guess_language(text)) != wanted.language:
                yield f"expected it in {wanted.language}, {what} {language}: {text!r}"
    if wanted.paused and reply.longest_gap_ms < PAUSE_MS:
        yield f"expected it to pause, its longest gap was {reply.longest_gap_ms:.0f} ms"
    if reply.interrupted:
        yield from _kept_what_was_heard(reply)
    else:
        yield from _whole(wanted, reply)


def _kept_what_was_heard(reply: HeardReply) -> Iterator[str]:
    """The history of a reply that was cut, against the ear: independent of any alignment of text and audio."""
    sent, kept, heard = words(reply.text), words(reply.history or ""), words(reply.aloud)
    if kept != sent[: len(kept)]:
        yield f"the history has {reply.history!r}, which is not how {reply.text!r} begins"
    reached, misheard = closest_prefix(heard, sent)
    if misheard > max(TOLERANCE_WORDS, _MISHEARD * len(heard)):
        yield f"what was heard, {reply.aloud!r}, is not how {reply.text!r} begins"
    elif abs(reached - len(kept)) > TOLERANCE_AT_A_CUT:
        yield f"{reached} words were heard, the history has {len(kept)}: {reply.aloud!r} against {reply.history!r}"


def _whole(wanted: Reply, reply: HeardReply) -> Iterator[str]:
    if (reply.history or "").strip() != reply.text.strip():
        yield f"the history has {reply.history!r}, the transcript was {reply.text!r}"
    if audible_span(reply.pcm) is None:
        yield "nothing of it can be heard"
        return
    said, heard = words(reply.text), words(reply.aloud)
    if word_errors(said, heard) > max(TOLERANCE_WORDS, _UNLIKE * len(said)):
        yield f"the voice says something else than the text: {reply.aloud!r} instead of {reply.text!r}"
    if wanted.every_word_once:
        yield from _lost_or_repeated(said, heard)


def _lost_or_repeated(said: Sequence[str], heard: Sequence[str]) -> Iterator[str]:
    """Runs of words only: a recogniser may miss or split a single one."""
    for _, start, end, heard_start, heard_end in SequenceMatcher(None, said, heard, autojunk=False).get_opcodes():
        surplus = (heard_end - heard_start) - (end - start)
        if abs(surplus) > TOLERANCE_WORDS:
            found, expected = (" ".join(run) for run in (heard[heard_start:heard_end], said[start:end]))
            after = " ".join(said[max(0, start - 3) : start])
            yield f"words were {'lost' if surplus < 0 else 'added'}: heard {found!r}, not {expected!r}, after {after!r}"
