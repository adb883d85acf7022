import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.orchestrator.boundaries import LOOKAHEAD
from services.orchestrator.sentences import HARD_LIMIT, ClauseSplitter

PASSAGES = st.lists(
    st.one_of(
        st.sampled_from([
            "word", "Word", "the", "of", "is", "in", "and", "Dr", "e.g", "U.S", "p.m", "I", "I'm", "A", "etc", "3",
            "10", "000", "example.com", ".", ". ", "! ", "? ", "...", "… ", "…", ", ", ",", "; ", ": ", ":", "—", " – ",
            " - ", "-", '"', "'", "”", "“", ")", "(", "»", " ", "  ", "\n", "\n\n", "\u00a0", "你好", "世界",
            "。", "！", "？", "，", "、", "：", "」", "「", "はい", "東京は", "です", "안녕하세요", "नमस्ते", "।", "؟",
        ]),
        st.text(max_size=4),
        st.text("abc", max_size=300),
    ),
    max_size=60,
).map("".join)  # fmt: skip


def pieces_of(text: str, size: int | None = None) -> list[str]:
    splitter = ClauseSplitter()
    size = size or max(1, len(text))
    pieces = [piece for at in range(0, len(text), size) for piece in splitter.push(text[at : at + size])]
    return pieces + splitter.flush()


def sentences_of(text: str) -> list[str]:
    """Pieces behind the first two, which alone are cut within a sentence."""
    first, second, *rest = pieces_of("Well. Yes. " + text)
    assert (first, second) == ("Well. ", "Yes. ")
    return rest


@pytest.mark.parametrize(
    "pieces",
    [
        # The first piece is short: a sentence, or a clause of two words, or a phrase of about six words.
        ["The capital of France ", "is Paris. ", "It lies on the Seine."],
        ["Sure! ", "I can help with that. ", "What would you like to know, and why?"],
        ["Of course, ", "I can do that for you, if you like."],
        ["Well, the short answer ", "is no, but there is more to it."],
        ["It rained; ", "however, we went out."],
        ["Good question: ", "it depends."],
        ["That is simple — ", "you just ask."],
        ["It is done—", "at last."],
        ["The tallest mountain ", "in the world is Mount Everest, which stands at 8,849 metres above sea level."],
        ["I can help you with that today ", "if you tell me a little more about it."],
        ["Photosynthesis lets green plants make their own sugar ", "out of light, water and air."],
        ["On July 4, 1776, ", "the Declaration was signed."],
        ['"Yes," he said, ', "and left."],
        ["1. Preheat the oven. ", "2. Mix the flour, the sugar and the eggs. ", "3. Bake."],
        ["You need three things: ", "1. Flour. ", "2. Water. "],
        # Chinese and Japanese.
        ["当然！", "以下是建议：1. 多喝水。", "2. 早睡早起。"],
        ["你好！", "很高兴见到你，请问有什么可以帮助你的吗？"],
        ["今天天气很好，", "适合出去散步，也适合在家看书。"],
        ["好的，没问题，", "我来帮你。"],
        ["法国的首都是巴黎。", "它位于塞纳河畔。", "人口约210万，是法国最大的城市。"],
        ["他说：“我们走吧！”", "然后离开了……", "“好。”", "她回答。"],
        ["我用Python 3.11写程序。", "版本号是3.5！", "OK?", "好的。"],
        ["はい、フランスの首都はパリです。", "人口は約210万人で、とても大きいです。"],
        ["「はい。」", "と言いました。", "（笑）そうですね！？", "ええ。"],
        ["こんにちは！", "今日はいい天気ですね。"],
        ["昨日の夜遅くに南の海の方で", "大きな地震がありました。"],
        # Spanish and French.
        ["¡Hola! ", "¿Cómo estás? ", "La Sra. García vive en Madrid, cerca del parque."],
        ["La capital de Francia es París, ", "que está a orillas del Sena."],
        ["Los idiomas más hablados del mundo ", "son el chino, el español y el inglés."],
        ["Bien sûr ! ", "La capitale de la France est Paris : c'est une belle ville. ", "M. Dupont y habite."],
        ["« Oui », dit-il. ", "Puis il partit à 10 h 30, avec 3,5 kg de pommes."],
        ["Le plus haut sommet du monde ", "est le mont Everest."],
        # Other scripts.
        ["안녕하세요. ", "저는 음성 비서입니다."],
        ["नमस्ते। ", "आप कैसे हैं?"],
        ["كيف حالك؟ ", "أنا بخير، شكرا."],
        ["Привет! ", "Как дела?"],
        # Nothing to cut.
        ["Yes."],
        ["Hello"],
        ["..."],
        [],
    ],
)  # fmt: skip
def test_an_answer_is_cut_where_a_voice_would_breathe(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert pieces_of(text) == pieces
    assert pieces_of(text, 1) == pieces


@pytest.mark.parametrize(
    "sentences",
    [
        # A stop that ends no sentence.
        ["Dr. Smith and Mrs. Jones met Prof. Lee vs. Mr. Ito at Mt. Fuji. ", "They talked."],
        ["George W. Bush and J. K. Rowling came at 5 p.m. on Friday. ", "Good."],
        ["Use tools, e.g. Paris or i.e. Rome, etc. and so on. ", "Fine."],
        ["The U.S. Army is in the U.S. ", "The rest stayed. ", "It was 5 p.m. ", "We left."],
        ["See No. 5, Fig. 3 and pp. 4 of Jan. 7. ", "I said no. ", "Then I left."],
        ["Acme Inc. Chairman Bob works at Acme Inc. ", "He is old."],
        ["It is 3.5 km, costs $1,000.50 and starts at 10:30. ", "Visit example.com/a.b for more. ", "Bye."],
        ["It costs 3. ", "You pay. ", "So did I. ", "Then she slept."],
        ["Use version 3.11.7, not 2.0. ", "Right."],
        # Ellipsis, quotes, brackets.
        ["Wait... what was that… again. ", "Hm... ", "I see… ", "Now go."],
        ['He said "yes." ', 'Then she said "no!" ', "(They argued.) ", "[End.] ", "“Over.” ", "‘Really.’ ", "Yes."],
        ['"Really?" he asked. ', "“Stop!” she cried. ", "What?! ", "No!!! ", "Ok."],
        # New lines end sentences.
        ["One line\n", "Another\n\n", "Last"],
        # Straight quotes in Chinese.
        ['他说:"好。"', "然后走了。", '"是。"', "她说。"],
    ],
)
def test_later_pieces_are_whole_sentences(sentences: list[str]) -> None:
    assert sentences_of("".join(sentences)) == sentences


def test_a_long_second_piece_is_cut_before_the_first_has_been_heard() -> None:
    text = "Sure! The tallest mountain in the world is Mount Everest in the Himalayas, which stands at 8,849 metres."
    assert pieces_of(text) == [
        "Sure! ",
        "The tallest mountain in the world is Mount Everest in the Himalayas, ",
        "which stands at 8,849 metres.",
    ]


def test_a_long_sentence_is_cut_at_its_last_clause_within_the_limit() -> None:
    text = (
        "We went out for a walk because the children, who had been inside all day long, wanted to see the new park, "
        "and because the dog needed some fresh air after lunch. Then we slept."
    )
    assert sentences_of(text) == [
        "We went out for a walk because the children, who had been inside all day long, wanted to see the new park, ",
        "and because the dog needed some fresh air after lunch. ",
        "Then we slept.",
    ]


def test_a_long_chinese_sentence_is_cut_earlier_since_each_character_takes_longer_to_say() -> None:
    clause = "我们去公园散步因为孩子们整天都在家里，"
    assert sentences_of(clause * 3 + "好。") == [clause * 2, clause + "好。"]


def test_without_any_mark_a_piece_ends_between_words() -> None:
    pieces = sentences_of("Word " * 200)
    assert len(pieces) == 5
    assert all(re.fullmatch(r"(Word )+", piece) for piece in pieces)


@pytest.mark.parametrize(
    ("pushes", "pieces"),
    [
        (["Paris."], [[]]),
        (["Paris.", " "], [[], []]),
        (["Paris.", " I"], [[], ["Paris. "]]),
        (["It costs 3.", "5 euros. B"], [[], ["It costs 3.5 euros. "]]),
        (["He said “yes.", "” T"], [[], ["He said “yes.” "]]),
        (["At noon in the U.S.", " The", " sun"], [[], [], ["At noon in the U.S. "]]),
        (["At noon in the U.S.", " Army", " left"], [[], [], []]),
        (["你好。"], [[]]),
        (["你好。", "」", "我"], [[], [], ["你好。」"]]),
        (["你好。", "我"], [[], ["你好。"]]),
        (["Of course,", " dear"], [[], ["Of course, "]]),
    ],
)
def test_a_piece_is_given_out_as_soon_as_its_end_is_certain(pushes: list[str], pieces: list[list[str]]) -> None:
    splitter = ClauseSplitter()
    assert [splitter.push(push) for push in pushes] == pieces


@given(PASSAGES, st.data())
@example('a"。' * 3, None)
def test_pieces_do_not_depend_on_how_the_text_was_cut(text: str, data: st.DataObject | None) -> None:
    splitter, position, pieces = ClauseSplitter(), 0, []
    while position < len(text):
        size = data.draw(st.integers(1, 8)) if data else 1
        pieces += splitter.push(text[position : position + size])
        position += size
    assert pieces + splitter.flush() == pieces_of(text)


@given(PASSAGES)
def test_nothing_is_lost_and_no_piece_is_too_long(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= HARD_LIMIT for piece in pieces)


WORDS = st.sampled_from(["word", "Dr.", "end.", "So", "a,", "b;", "what?", "“no!”", "—", "你好。", "…"])


@given(st.lists(WORDS, max_size=80))
def test_every_piece_but_the_last_has_something_to_say_and_no_space_before_it(words: list[str]) -> None:
    pieces = pieces_of(" ".join(words))
    assert all(any(char.isalnum() for char in piece) for piece in pieces[:-1])
    assert not any(piece[0].isspace() for piece in pieces)


@given(PASSAGES)
def test_what_waits_is_bounded(text: str) -> None:
    splitter = ClauseSplitter()
    given_out = sum(map(len, splitter.push(text)))
    assert len(text) - given_out <= HARD_LIMIT + LOOKAHEAD


def test_a_flushed_splitter_starts_anew() -> None:
    splitter = ClauseSplitter()
    assert splitter.push('He said "one. Two') + splitter.flush() == ['He said "one. ', "Two"]
    assert splitter.push("Of course, then") == ["Of course, "]
