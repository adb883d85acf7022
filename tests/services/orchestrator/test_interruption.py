"""What takes the floor from a reply and what does not."""

import pytest

from services.orchestrator.interruption import is_backchannel, is_echo, is_interruption, words

SPOKEN = (
    "The capital of France is Paris, and it's a lovely city. What it is like in spring, I don't know: no one told me."
)
SPOKEN_CHINESE = "法国的首都是巴黎。它不是一个小城市，要去的话，等春天一到就可以出发了。"
SPOKEN_JAPANESE = (
    "そうですね、フランスの首都はパリです。春はじゃがいもがおいしいので、待ってみてもいいかもしれないですね。"
)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "...", "?!", "♪"),
        *("Mm.", "mm-hm", "Mm-hmm.", "Mhm", "MMHMM", "mm hm", "Uh-huh.", "uh huh"),
        *("Hmm…", "Mmmm.", "Hmmmm", "ahhh", "Ooh!"),
        *("Yeah.", "yeah, yeah", "Yeahhh", "Okay.", "OK", "Ok, okay.", "Right, right.", "I see."),
        *("Okay, I see.", "Got it, yeah.", "Oh, I see, okay.", "All right.", "Really?", "oh wow"),
        *("嗯", "嗯嗯嗯", "嗯，好的。", "好的好的", "对对对", "對", "是的", "哦，是吗？", "啊，明白了", "这样啊"),
        *("はい", "はいはい", "はい、はい。", "うん", "うんうん", "うーん", "へー", "へえ"),
        *("そうそう", "そうですね。", "なるほど", "あー、そうなんですね"),
        *("네", "네네", "네, 그렇군요."),
        *("Sí.", "sí, sí", "vale, claro", "ajá", "Oui.", "Ouais, d'accord.", "D\u2019accord"),
        *("Ja, genau.", "ach so", "alles klar"),
        *("Sì, certo.", "tá bom", "да, да", "угу", "हाँ", "ठीक है", "نعم"),
    ],
)  # fmt: skip
def test_a_listeners_sound_leaves_the_floor(text: str) -> None:
    assert is_backchannel(text)
    assert not is_interruption(text, SPOKEN)


@pytest.mark.parametrize(
    "text",
    [
        *("wait", "Wait!", "no", "No.", "No, no, no.", "stop", "Stop it.", "Oh no", "okay stop"),
        *("Yeah but", "uh, what?", "yes please", "I see a dog", "Hm, wait"),
        *("right now", "what is it", "is it", "I know", "no no one"),
        *("等一下", "停", "不", "不是", "不要", "不对", "好了", "行了", "是不是", "等等", "够了"),
        *("待って", "ちょっと待って", "いや", "いいえ", "そうじゃない", "はい、でも", "やめて"),
        *("아니", "잠깐만", "네, 그런데"),
        *("no, espera", "para", "basta", "sí, pero no", "non", "attends", "nein", "halt"),
        *("ja, aber", "нет", "стоп", "नहीं", "لا"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("spoken", ["", SPOKEN, SPOKEN_CHINESE, SPOKEN_JAPANESE])
def test_words_that_mean_something_take_the_floor(text: str, spoken: str) -> None:
    assert is_interruption(text, spoken)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("the capital of France", SPOKEN),
        ("THE CAPITAL OF FRANCE IS PARIS!", SPOKEN),
        ("france is paris and its a lovely", SPOKEN),
        ("a lovely city", SPOKEN),
        ("lovely city", SPOKEN),  # two words that follow each other
        ("It’s a lovely city", SPOKEN),  # the other apostrophe
        ("the capital of France was", SPOKEN),  # 4 of 5 words
        ("首都是巴黎", SPOKEN_CHINESE),
        ("首都是巴黎，它不是", SPOKEN_CHINESE),
        ("フランスの首都は", SPOKEN_JAPANESE),
        ("ﾌﾗﾝｽの首都は", SPOKEN_JAPANESE),  # half-width kana
    ],
)
def test_the_loudspeaker_in_the_microphone_is_an_echo(text: str, spoken: str) -> None:
    assert is_echo(text, spoken)
    assert not is_interruption(text, spoken)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Paris", SPOKEN),  # one common word proves nothing
        ("Paris Paris", SPOKEN),
        ("city France lovely", SPOKEN),  # words that were said, in another order
        ("is it lovely", SPOKEN),
        ("the capital of Germany please now", SPOKEN),  # 3 of 6 words
        ("巴黎", SPOKEN_CHINESE),
        ("它一到就", SPOKEN_CHINESE),  # characters that were said, in another order
        ("待って", SPOKEN_JAPANESE),  # three characters: one word
        ("what is the capital", ""),
        ("", ""),
        ("", SPOKEN),
    ],
)
def test_words_in_common_are_no_echo_yet(text: str, spoken: str) -> None:
    assert not is_echo(text, spoken)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Don't, don\u2019t!", ["dont", "dont"]),
        ("Mm-hm; ＯＫ", ["mmhm", "ok"]),
        ("巴黎 is 首都", ["巴", "黎", "is", "首", "都"]),
        ("人々", ["人", "々"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("3.14 is pi", ["3", "14", "is", "pi"]),
        ("— … !", []),
    ],
)
def test_words_are_folded_for_comparison(text: str, folded: list[str]) -> None:
    assert words(text) == folded
