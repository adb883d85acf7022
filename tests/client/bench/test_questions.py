from pathlib import Path

import pytest

from client.bench.questions import QUESTIONS, question, read_folder, read_texts, speak_all
from client.sound.speech import SpeechError, write_wav
from tests.support.audio import silence, tone
from tests.support.tts import ScriptedTts, serving_tts, speech


def test_a_question_ends_with_its_last_audible_sample() -> None:
    assert question("q", None, silence(0.1) + tone(0.5) + silence(0.3)).pcm == silence(0.1) + tone(0.5)
    assert question("q", None, tone(0.5) + silence(0.3)).seconds == 0.5


def test_a_silent_question_is_refused() -> None:
    with pytest.raises(SpeechError, match=r"q\.wav: nothing can be heard"):
        question("q.wav", None, silence(0.5))


def test_the_built_in_questions_differ() -> None:
    assert len(set(QUESTIONS)) == len(QUESTIONS) >= 12


def test_a_file_has_one_question_a_line(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text("How are you?\n\n  你好吗？ \n", encoding="utf-8")
    assert read_texts(path) == ["How are you?", "你好吗？"]


@pytest.mark.parametrize(
    ("content", "expected"), [(b"\n \n", "one question a line, found none"), (b"\xff\xfe", "UTF-8"), (None, "No such")]
)
def test_a_file_that_is_of_no_use_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "questions.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpeechError, match=rf"questions\.txt: .*{expected}"):
        read_texts(path)


def test_a_folder_gives_recordings_with_their_words_where_they_are_known(tmp_path: Path) -> None:
    write_wav(tmp_path / "b.wav", tone(0.2))
    write_wav(tmp_path / "a.wav", tone(0.1))
    (tmp_path / "a.txt").write_text("How are\nyou?\n")
    first, second = read_folder(tmp_path)
    assert (first.name, first.text, first.pcm) == ("a.wav", "How are you?", tone(0.1))
    assert (second.name, second.text, second.pcm) == ("b.wav", None, tone(0.2))


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="expected WAV files, found none"):
        read_folder(tmp_path)
    with pytest.raises(SpeechError, match="expected a folder"):
        read_folder(tmp_path / "nowhere")


async def test_texts_are_spoken_by_the_stage() -> None:
    async with serving_tts(ScriptedTts(speech(tone(0.4) + silence(0.2), 24_000))) as target:
        spoken = await speak_all(["One?", "Two?"], target=target)
    assert [each.text for each in spoken] == ["One?", "Two?"]
    assert spoken[0].pcm == tone(0.4)
