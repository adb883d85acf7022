"""What a person of the simulation says, and when. Pure: the same dice say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from client.planning.catalog import Talk

BACKCHANNEL = "Mhm."
BACKCHANNEL_S = 0.35


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words without a pause: they begin `start_s` after the turn and take `length_s`. `probability` is what the
    end-of-turn model will say behind them, `last` whether the turn ends here."""

    start_s: float
    length_s: float
    text: str
    probability: float
    last: bool

    @property
    def end_s(self) -> float:
        """When it is over, in seconds after the turn's begin."""
        return self.start_s + self.length_s

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())


def say(talk: Talk, dice: Random) -> Sequence[Phrase]:
    """The phrases of a turn: one, or two with a pause between them."""
    text = dice.choice(talk.sentences)
    words, pace = text.split(), talk.words_per_s.draw(dice)
    paused = dice.random() < talk.pause_share.value
    cut = dice.randrange(len(words) // 3, 2 * len(words) // 3 + 1) if len(words) > 3 else 0
    pause_s, undone, done = (each.draw(dice) for each in (talk.pause_s, talk.undone_probability, talk.done_probability))
    if not (paused and 0 < cut < len(words)):
        return [Phrase(0.0, len(words) / pace, text, done, last=True)]
    first = Phrase(0.0, cut / pace, " ".join(words[:cut]), undone, last=False)
    rest = Phrase(first.end_s + pause_s, (len(words) - cut) / pace, " ".join(words[cut:]), done, last=True)
    return [first, rest]


def listen_aloud(talk: Talk, dice: Random) -> Sequence[Phrase]:
    """A sound that a listener makes, which takes no turn."""
    return [Phrase(0.0, BACKCHANNEL_S, BACKCHANNEL, talk.done_probability.draw(dice), last=True)]


def reply(talk: Talk, dice: Random) -> Sequence[int]:
    """The words of each piece of an answer, the first as short as the orchestrator cuts it."""
    left = max(1, round(talk.reply_words.draw(dice)))
    pieces = [min(left, max(1, round(talk.first_clause_words.draw(dice))))]
    while (left := left - pieces[-1]) > 0:
        pieces.append(min(left, max(1, round(talk.clause_words.draw(dice)))))
    return pieces
