"""The order of steps and the choice between two tries, with a model that says what the test tells it to."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from chassis.audio import Float32
from services.stt.alignment import TimedWord
from services.stt.guard import Fault
from services.stt.language import Language
from services.stt.recognizer import Recognizer, Request
from services.stt.whisper_model import Decoded

ENGLISH = Request(Language("en", 1.0))


def speech(seconds: float) -> Float32:
    """Loud and quiet by turns, ten times a second."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    loud = np.sin(2 * np.pi * 250 * t) * (np.sin(2 * np.pi * 5 * t) > 0)
    return (0.3 * loud).astype(np.float32)


def decoded(*tokens: int, ended: bool = True, log_probability: float = -0.1, no_speech: float = 0.1) -> Decoded:
    return Decoded(tokens, ended, log_probability, no_speech)


class ScriptedModel:
    """Gives its results in turn. A clip is encoded as its context; token n is the n-th letter, as a word of five."""

    multilingual = True

    def __init__(self, *results: Decoded, languages: Mapping[str, float] | None = None) -> None:
        self._results = iter(results)
        self._languages = languages or {"en": 0.9, "de": 0.1}
        self.contexts: list[int] = []
        self.prompts: list[str] = []
        self.budgets: list[int] = []

    def encode(self, samples: Float32, context_s: int) -> int:
        self.contexts.append(context_s)
        return context_s

    def detect(self, encoded: int) -> Mapping[str, float]:
        return self._languages

    def decode(self, encoded: int, language: str, prompt: str, budget: int) -> Decoded:
        self.prompts.append(prompt)
        self.budgets.append(budget)
        return next(self._results)

    def text(self, tokens: Sequence[int], language: str) -> str:
        return "".join(f" {chr(ord('a') + token) * 5}" for token in tokens)

    def align(self, encoded: int, language: str, tokens: Sequence[int]) -> list[TimedWord]:
        return [TimedWord("w", n, n + 1, 1.0) for n, _ in enumerate(tokens)]


def proceed() -> None:
    """Somebody still waits."""


def test_a_good_transcript_takes_one_short_try() -> None:
    model = ScriptedModel(decoded(0, 1, 2))
    heard = Recognizer(model).transcribe(speech(2), ENGLISH, proceed)
    assert (heard.text, heard.fault, model.contexts) == (" aaaaa bbbbb ccccc", None, [5])


def test_a_doubtful_transcript_is_tried_again_with_a_longer_context_and_a_larger_budget() -> None:
    model = ScriptedModel(decoded(0, 0, 0, 0, ended=False), decoded(0, 1))
    heard = Recognizer(model).transcribe(speech(2), ENGLISH, proceed)
    assert (heard.text, heard.fault, model.contexts) == (" aaaaa bbbbb", None, [5, 15])
    assert model.budgets[1] == 2 * model.budgets[0]


def test_a_second_doubtful_transcript_is_taken_and_said_to_be_doubtful() -> None:
    model = ScriptedModel(decoded(0, 1, log_probability=-1.4), decoded(0, 2, log_probability=-1.3))
    heard = Recognizer(model).transcribe(speech(2), ENGLISH, proceed)
    assert (heard.text, heard.fault) == (" aaaaa ccccc", Fault.UNLIKELY)
    assert len(model.contexts) == 2


def test_a_second_try_without_an_end_loses_to_a_first_that_had_one() -> None:
    model = ScriptedModel(decoded(0, 1, log_probability=-1.4), decoded(*[3] * 60, ended=False))
    assert Recognizer(model).transcribe(speech(2), ENGLISH, proceed).text == " aaaaa bbbbb"


def test_a_loop_in_both_tries_is_said_once() -> None:
    model = ScriptedModel(decoded(*[0, 1] * 9, ended=False), decoded(*[2, 3] * 9, ended=False))
    assert Recognizer(model).transcribe(speech(2), ENGLISH, proceed).text == " ccccc ddddd"


def test_silence_costs_no_look_at_the_model() -> None:
    model = ScriptedModel()
    heard = Recognizer(model).transcribe(np.zeros(32_000, np.float32), Request(), proceed)
    assert (heard.text, heard.language, model.contexts) == ("", None, [])


def test_nothing_said_has_no_language_of_its_own() -> None:
    model = ScriptedModel(*[decoded(0, log_probability=-1.5, no_speech=0.9)] * 2)
    heard = Recognizer(model).transcribe(speech(2), Request(), proceed)
    assert (heard.text, heard.language) == ("", None)


def test_a_language_that_is_not_told_is_detected_on_the_same_encoder_output() -> None:
    model = ScriptedModel(decoded(0, 1), languages={"de": 0.7, "en": 0.3})
    heard = Recognizer(model).transcribe(speech(1), Request(), proceed)
    assert heard.language is not None
    assert (heard.language.code, len(model.contexts)) == ("de", 1)


def test_chinese_is_prompted_into_simplified_characters_and_has_no_leading_space() -> None:
    model = ScriptedModel(decoded(0, 1))
    heard = Recognizer(model).transcribe(speech(1), Request(Language("zh", 1.0), hint="北京"), proceed)
    assert model.prompts == ["以下是普通话的句子。 北京"]
    assert heard.text == "aaaaa bbbbb"


def test_words_are_aligned_only_where_they_are_asked_for() -> None:
    results = decoded(0, 1), decoded(0, 1)
    recognizer = Recognizer(ScriptedModel(*results))
    assert recognizer.transcribe(speech(1), ENGLISH, proceed).words == ()
    assert len(recognizer.transcribe(speech(1), Request(Language("en", 1.0), words=True), proceed).words) == 2


def test_work_that_nobody_waits_for_ends_before_decoding() -> None:
    class NobodyError(Exception):
        pass

    def give_up() -> None:
        raise NobodyError

    model = ScriptedModel(decoded(0))
    with pytest.raises(NobodyError):
        Recognizer(model).transcribe(speech(1), ENGLISH, give_up)
    assert (model.contexts, model.prompts) == ([5], [])
