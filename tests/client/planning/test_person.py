from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from client.planning import catalog, person
from services.orchestrator.interruption import is_backchannel
from tests.client.planning.quiet import figure, plain_talk

talks = st.sampled_from([catalog.talk(name) for name in catalog.TALKS])


@given(talks, st.integers())
def test_a_turn_is_a_sentence_in_phrases_that_follow_each_other(talk: catalog.Talk, seed: int) -> None:
    phrases = person.say(talk, Random(seed))
    assert " ".join(phrase.text for phrase in phrases) in talk.sentences
    assert [phrase.last for phrase in phrases] == [False] * (len(phrases) - 1) + [True]
    assert all(phrase.length_s > 0 and phrase.words > 0 for phrase in phrases)
    for before, after in pairwise(phrases):
        assert after.start_s - before.end_s >= talk.pause_s.low - 1e-9


@given(talks, st.integers())
def test_an_answer_is_cut_into_pieces_without_losing_a_word(talk: catalog.Talk, seed: int) -> None:
    pieces = person.reply(talk, Random(seed))
    assert all(pieces)
    assert talk.reply_words.low - 1 <= sum(pieces) <= talk.reply_words.high + 1
    assert pieces[0] <= talk.first_clause_words.parameters[1]


def test_a_pause_makes_two_phrases_of_a_sentence() -> None:
    first, second = person.say(plain_talk(pause_share=figure(1)), Random(1))
    assert (first.probability, second.probability) == (0.05, 0.95)
    assert second.start_s == first.end_s + 0.5


def test_a_listeners_sound_takes_no_turn() -> None:
    (sound,) = person.listen_aloud(plain_talk(), Random(1))
    assert is_backchannel(sound.text)
