import numpy as np

from services.stt.alignment import TimedWord, timed_words, within_sound


def test_a_word_lasts_from_its_first_token_to_the_next_word() -> None:
    words = timed_words(
        [" What", " is", " it"],
        [1, 2, 1],
        [(0, 5), (0, 6), (1, 10), (2, 12), (3, 20), (3, 21), (4, 30)],
        [0.9, 0.8, 0.6, 0.5],
        clip_samples=16_000,
    )
    assert words == [
        TimedWord("What", 5 * 320, 10 * 320, 0.9),
        TimedWord("is", 10 * 320, 20 * 320, 0.7),
        TimedWord("it", 20 * 320, 30 * 320, 0.5),
    ]


def test_punctuation_belongs_to_the_word_beside_it() -> None:
    words = timed_words(
        [" “", "Yes", ",", " sir", "?"],
        [1, 1, 1, 1, 1],
        [(0, 0), (1, 1), (2, 9), (3, 10), (4, 20), (5, 24)],
        [0.5, 0.9, 0.4, 0.8, 0.4],
        clip_samples=16_000,
    )
    assert [word.text for word in words] == ["“Yes,", "sir?"]


def test_no_word_ends_after_the_clip() -> None:
    (word,) = timed_words([" Yes"], [1], [(0, 2), (1, 60)], [0.9], clip_samples=8_000)
    assert (word.start, word.end) == (640, 8_000)


def test_no_words_have_no_times() -> None:
    assert timed_words([], [], [], [], clip_samples=0) == []


def test_pauses_do_not_belong_to_words() -> None:
    active = np.zeros(100, np.bool_)
    active[20:40] = active[70:90] = True
    words = [TimedWord("one", 0, 60 * 320, 0.9), TimedWord("two", 60 * 320, 32_000, 0.9)]
    assert [(word.start // 320, word.end // 320) for word in within_sound(words, active)] == [(20, 40), (70, 90)]


def test_a_word_over_silence_keeps_its_times() -> None:
    word = TimedWord("hm", 320, 3_200, 0.2)
    assert within_sound([word], np.zeros(50, np.bool_)) == [word]


def test_of_two_sounds_a_word_is_the_longer_one() -> None:
    active = np.zeros(100, np.bool_)
    active[:3] = active[60:90] = True
    (word,) = within_sound([TimedWord("word", 0, 32_000, 0.9)], active)
    assert (word.start, word.end) == (60 * 320, 90 * 320)
