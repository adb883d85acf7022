import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.speakable import HOLD_LIMIT, SpeakableText

URL_START = 7
"""Characters of "http://" or "https:/": what may be held in prose."""

MARKUP = st.lists(
    st.one_of(
        st.sampled_from([
            "**", "*", "__", "_", "# ", "## ", "- ", "* ", "1. ", "> ", "`", "```", "```py\n", "~~~", "\n", "\n\n", " ",
            "[", "](", "]", ")", "(", "[1]", "[^2]", "- [x] ", "![", "|", "|---|:--|\n", "---\n", "***", "<b>", "</b>",
            "<br/>", '<a href="', '">', "<", ">", "<!--", "-->", "<think>", "</think>", "<script a=", "https://",
            "www.", "http", "a.com/b-c?d=e", "&amp;", "&", "😊", "👩‍👧", "1️⃣", "™", "$", "5", "x", "Word", "word", ".",
            ",", "!", "?", ":", "-", "--", "->", "=>", "==", "~", "^", "@", "\\", "{", "}", "你好", "。", "はい", "é",
            "e\u0301", "\u200d", "→", "•", "\u00a0", "\r\n", "\t",
        ]),
        st.text(max_size=4),
    ),
    max_size=30,
).map("".join)  # fmt: skip


def cleaned(text: str, size: int | None = None) -> str:
    cleaner = SpeakableText()
    size = size or max(1, len(text))
    return "".join([*(cleaner.push(text[at : at + size]) for at in range(0, len(text), size)), cleaner.flush()])


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # Emphasis and code.
        ("**Paris** is the *capital* of __France__.", "Paris is the capital of France."),
        ("***Very*** _important_, ~~really~~ ==truly==.", "Very important, really truly."),
        ("这是**非常**重要的_词_。", "这是非常重要的词。"),
        ("Call `get_user_name` or `<div>` with `--force`.", "Call get user name or div with force."),
        ("**https://a.io** and *www.b.io*", "a.io and b.io"),
        ("Unbalanced **bold and *italic", "Unbalanced bold and italic"),
        (r"A literal \*star\* and snake\_case.", "A literal star and snake case."),
        # Code blocks go with what is in them.
        ("Run this:\n\n```python\nprint('*')\n```\n\nIt prints a star.", "Run this: It prints a star."),
        ("Before\n~~~\n```\n~~~\nAfter", "Before. After"),
        ("Use ```pip install x``` to install.", "Use. to install."),
        ("Cut off:\n```js\nlet a =", "Cut off:"),
        # Headings, lists, quotes, rules.
        ("# Baking bread\n\nYou need:\n\n- flour\n- **water**\n* salt", "Baking bread. You need: flour. water. salt"),
        ("1. Mix the flour.\n2. Add water\n3) Bake", "1. Mix the flour. 2. Add water. 3) Bake"),
        ("- [ ] buy milk\n- [x] call Ann", "buy milk. call Ann"),
        ("- Fruit\n  - Apples\n  - Pears\n+ Nuts\n• Tea", "Fruit. Apples. Pears. Nuts. Tea"),
        ("> To be,\n> or not to be", "To be, or not to be"),
        ("One\n\n---\n\nTwo\n***\nThree", "One. Two. Three"),
        ("Title\n=====\nText", "Title. Text"),
        ("水果有：\n- 苹果\n- 梨\n\n再见", "水果有：苹果。梨。再见"),
        ("- 塔（634m）\n- 寺", "塔（634m）。寺"),
        ("手順\n1. 混ぜる\n2. 焼く", "手順。1. 混ぜる。2. 焼く"),
        ('She said "hi"\nThen she left', 'She said "hi". Then she left'),
        ("Roses are red,\nViolets are blue", "Roses are red, Violets are blue"),
        ("a line that\nwas wrapped here", "a line that was wrapped here"),
        # Tables.
        ("| City | People |\n|:----|----:|\n| Rome | 3 |\n| Lyon | |\n\nDone.", "City, People. Rome, 3. Lyon. Done."),
        ("|城市|人口|\n|---|---|\n|巴黎|210万|", "城市，人口。巴黎，210万"),
        # Links, images, references, addresses.
        ("See [the docs](https://x.com/a_(b)).", "See the docs."),
        ("[![badge](https://i.co/a.png)](https://x.com) Hello", "badge Hello"),
        ("[Paris][1] is big [2][^3]. More", "Paris is big. More"),
        ("At https://www.example.com/news/my-day_2.html?id=7#top, then.", "At example.com news my day 2, then."),
        ("请访问https://example.com/关于。谢谢", "请访问example.com关于。谢谢"),
        ("(see http://example.com/a) and www.example.org!", "(see example.com a) and example.org!"),
        ("Open http://localhost:8000/ or <https://a.io/x9f3kq2>.", "Open localhost or a.io."),
        ("Mail <ann@example.com> or bob@example.com, @bob.", "Mail ann@example.com or bob@example.com, bob."),
        ("What? How? Why? While http is old, www is older", "What? How? Why? While http is old, www is older"),
        # HTML.
        ("<b>Bold</b> and <a href='https://x.com'>link</a><br>Next", "Bold and link. Next"),
        ("A<!-- hidden <b> -->B &amp; C&nbsp;D &copy; R&D", "AB & C D &copy; R&D"),
        ("<think>The user wants…</think>Hello.", "Hello."),
        ('<script type="a">x > y</script>Text', "Text"),
        ("2 < 3 and 5 > 4, x <y", "2 < 3 and 5 > 4, x <y"),
        # Emoji and symbols.
        ("Great job 🎉! Well done 👩‍👩‍👧 all 👍🏽", "Great job! Well done all"),
        ("你好😊！很高兴见到你🌟", "你好！很高兴见到你"),
        ("I❤️you 🇫🇷 1️⃣ first ✅", "I you 1 first"),
        ("Windows™ costs $5.50 (US$6, 5 €), 20% off; #1 in C# ★", "Windows costs $5.50 (US$6, 5 €), 20% off; #1 in C#"),
        ("It is 21°C, −5 °F, 30㎡, ½ cup, §3.", "It is 21°C, −5 °F, 30㎡, ½ cup, §3."),
        ("2 * 3 = 6, 4*5=20, 2^10, (a)*(b), pick *5* of 8", "2 × 3 = 6, 4×5=20, 2^10, (a)×(b), pick 5 of 8"),
        ("Solve $x$: 5–10, 10〜20, ~3, 好的~", "Solve x: 5–10, 10〜20, ~3, 好的"),
        ("Home -> Settings => Sound → Volume", "Home, Settings, Sound, Volume"),
        ("😊", ""),
        ("", ""),
        (" \n\n ", ""),
    ],
)  # fmt: skip
def test_what_is_written_for_the_eye_is_not_spoken(written: str, spoken: str) -> None:
    assert cleaned(written) == spoken
    assert cleaned(written, 1) == spoken


@pytest.mark.parametrize(
    "prose",
    [
        "The capital of France is Paris, isn't it? Yes! It has about 2,100,000 people (2024); 3.5% more than in 1999.",
        "He said “no”, then 'maybe' — well-known for that… and left at 10:30 p.m. on 5/6 with Q&A.",
        "法国的首都是巴黎。它位于塞纳河畔，人口约210万！“你好”，他说：《论语》（第3章）……",
        "フランスの首都はパリです。「はい」と言いました。ラーメン・カレー、どちらがいいですか？",
        "¿Qué tal? ¡Muy bien! La niña cumplió 5 años: ¡felicidades!",
        "Bonjour\u202f! Ça va\u00a0? « Oui », dit-il ; c'est l'été, à 20\u00a0€.",
        "안녕하세요. नमस्ते, कैसे हैं? مرحبا، كيف حالك؟ สวัสดีครับ Привет!",
    ],
)
def test_plain_prose_passes_unchanged(prose: str) -> None:
    assert cleaned(prose, 1) == prose


@given(MARKUP, st.data())
def test_output_does_not_depend_on_how_the_input_was_cut(text: str, data: st.DataObject) -> None:
    cleaner, position, pieces = SpeakableText(), 0, []
    while position < len(text):
        size = data.draw(st.integers(1, 6))
        pieces.append(cleaner.push(text[position : position + size]))
        position += size
    assert "".join([*pieces, cleaner.flush()]) == cleaned(text)


UNITS = ["*", "#", "-", "`", "<a ", "[", "(", "https://a.b/c", "~~~", "|", "&am", "1", " ", "\n", "é"]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("before", ["", "word ", "https://", "[a](", "<a b="])
def test_long_runs_of_markup_are_read_alike_however_they_are_cut(unit: str, before: str) -> None:
    text = before + unit * 600 + " end"
    assert cleaned(text, 1) == cleaned(text, 7) == cleaned(text)


@given(MARKUP)
def test_no_markup_and_no_loose_white_space_is_left(text: str) -> None:
    spoken = cleaned(text)
    assert spoken == spoken.strip()
    assert not set(spoken) & set("*`[]{}\\|_😊🎉\n\r\t\ufe0f")
    assert "  " not in spoken


@given(st.text("htpsw:/.,!?- abcXYZ019你。", max_size=200))
def test_prose_waits_for_one_character_or_the_start_of_an_address(text: str) -> None:
    text = " ".join(text.split()).lstrip("-:. 0123456789").replace("www.", "").replace("://", "").replace(" -", "")
    cleaner, spoken = SpeakableText(), 0
    for position, char in enumerate(text, start=1):
        spoken += len(cleaner.push(char))
        assert position - spoken <= URL_START + 1


@given(MARKUP)
def test_what_is_held_is_bounded(text: str) -> None:
    cleaner = SpeakableText()
    before = cleaner.push(text)
    tail = cleaner.flush()
    assert len(tail) <= HOLD_LIMIT
    assert before + tail == cleaned(text)


def test_words_of_an_endless_tag_or_address_come_out_after_the_limit() -> None:
    cleaner = SpeakableText()
    tag, address = "<a" + " " * HOLD_LIMIT + "word ", "https://a.io/" + "b" * HOLD_LIMIT + " then on"
    spoken = cleaner.push(tag) + cleaner.push(address)
    assert spoken.startswith("<a word a.io b")
    assert spoken.endswith("b then on")


def test_a_flushed_cleaner_starts_anew() -> None:
    cleaner = SpeakableText()
    assert cleaner.push("One\n```\nopen") + cleaner.flush() == "One"
    assert cleaner.push("- two **three") + cleaner.flush() == "two three"
