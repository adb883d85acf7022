import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.languages import language_name, reply_language


@pytest.mark.parametrize(
    ("text", "spoken", "language"),
    [
        # East Asian scripts.
        ("法国的首都是巴黎。", "zh", "zh"),
        ("法国的首都是巴黎。", "en", "zh"),
        ("法國的首都係巴黎。", "yue", "yue"),
        ("東京", "ja", "ja"),
        ("東京", "ko", "zh"),
        ("フランスの首都はパリです。", "ja", "ja"),
        ("東京は日本の首都です。", "zh", "ja"),
        ("ありがとう", "en", "ja"),
        ("ｶﾀｶﾅ", "en", "ja"),
        ("프랑스의 수도는 파리입니다.", "en", "ko"),
        # Words of another script inside a sentence do not decide.
        ("PythonとJavaScriptとTypeScriptです。", "ja", "ja"),
        ("我用 Python 写程序。", "zh", "zh"),
        ("Paris是法国的首都。", "en", "zh"),
        ("Москва is the capital of Russia.", "en", "en"),
        # Quoted words do not decide either, unless there is nothing else.
        ("“谢谢” is how you say thank you in Chinese.", "en", "en"),
        ("谢谢用日语说是“ありがとう”。", "zh", "zh"),
        ("「你好」", "en", "zh"),
        # Scripts that several languages share.
        ("Столица Франции — Париж.", "ru", "ru"),
        ("Столица Франции — Париж.", "en", "ru"),
        ("Добре.", "uk", "uk"),
        ("Її столиця — Київ.", "en", "uk"),
        ("عاصمة فرنسا هي باريس.", "en", "ar"),
        ("پایتخت فرانسه پاریس است.", "en", "fa"),
        ("فرانسه", "fa", "fa"),
        ("फ्रांस की राजधानी पेरिस है।", "en", "hi"),
        ("पॅरिस ही राजधानी आहे.", "mr", "mr"),
        # Scripts of one language.
        ("สวัสดีครับ", "en", "th"),
        ("Η πρωτεύουσα είναι το Παρίσι.", "en", "el"),
        ("שלום", "en", "he"),
        ("გამარჯობა", "en", "ka"),
        # Latin script is the spoken language, if that is written in it.
        ("La capital de Francia es París.", "es", "es"),
        ("Paris.", "fr", "fr"),
        ("Zdravo!", "sr", "sr"),
        ("The capital is Paris.", "zh", "en"),
        ("The capital is Paris.", "ru", "en"),
        # Nothing to go by.
        ("", "zh", "zh"),
        ("42! … 3.5 %", "fr", "fr"),
        ("🎉", "ja", "ja"),
    ],
)
def test_the_script_of_a_reply_chooses_its_voice(text: str, spoken: str, language: str) -> None:
    assert reply_language(text, spoken) == language


@given(st.text(), st.sampled_from(["en", "zh", "ja", "ru", "ar", "hi", "th", "es", "yue"]))
def test_any_text_has_a_language_with_a_name(text: str, spoken: str) -> None:
    language = reply_language(text, spoken)
    assert language_name(language) != language


@pytest.mark.parametrize(
    ("code", "name"),
    [("en", "English"), ("zh", "Chinese"), ("ja", "Japanese"), ("es", "Spanish"), ("fr", "French")],
)
def test_languages_have_english_names(code: str, name: str) -> None:
    assert language_name(code) == name


def test_an_unknown_code_is_its_own_name() -> None:
    assert language_name("tlh") == "tlh"
