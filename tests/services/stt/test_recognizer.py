"""The order of steps and the choice between two tries, with a model that says what the test tells it to."""

from collections.abc import Mapping, Sequence

import numpy as np

from chassis.audio import Float32, float_to_pcm
from services.stt.alignment import TimedWord
from services.stt.batching import Again, Done, Failed, Outcome
from services.stt.guard import Fault
from services.stt.language import Language
from services.stt.recognizer import AbandonedError, Clip, Heard, Recognizer, Request
from services.stt.whisper_model import Decoded, Wanted
from services.stt.windows import short_context

ENGLISH = Request(Language("en", 1.0))


def speech(seconds: float) -> Float32:
    """Loud and quiet by turns, ten times a second."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    loud = np.sin(2 * np.pi * 250 * t) * (np.sin(2 * np.pi * 5 * t) > 0)
    return (0.3 * loud).astype(np.float32)


def decoded(*tokens: int, ended: bool = True, log_probability: float = -0.1, no_speech: float = 0.1) -> Decoded:
    return Decoded(tokens, ended, log_probability, no_speech)


class ScriptedModel:
    """Gives its results in turn. A batch is encoded as its context; token n is the n-th letter, as a word of five."""

    multilingual = True

    def __init__(self, *results: Decoded, languages: Mapping[str, float] | None = None) -> None:
        self._results = list(reversed(results))
        self._languages = languages or {"en": 0.9, "de": 0.1}
        self._clips = 0
        self.contexts: list[int] = []
        self.batches: list[int] = []
        self.prompts: list[str] = []
        self.budgets: list[int] = []

    def encode(self, clips: Sequence[Float32], context_s: int) -> int:
        self._clips = len(clips)
        self.contexts.append(context_s)
        self.batches.append(len(clips))
        return context_s

    def detect(self, encoded: int) -> list[Mapping[str, float]]:
        return [self._languages] * self._clips

    def decode(self, encoded: int, wanted: Sequence[Wanted]) -> list[Decoded]:
        self.prompts += [each.prompt for each in wanted]
        self.budgets += [each.budget for each in wanted]
        return [self._results.pop() for _ in wanted]

    def text(self, tokens: Sequence[int], language: str) -> str:
        return "".join(f" {chr(ord('a') + token) * 5}" for token in tokens)

    def align(self, encoded: int, row: int, language: str, tokens: Sequence[int]) -> list[TimedWord]:
        return [TimedWord("w", n, n + 1, 1.0) for n, _ in enumerate(tokens)]


def clip(samples: Float32, request: Request = ENGLISH, *, wanted: bool = True) -> Clip[int]:
    return Clip(float_to_pcm(samples), request, short_context(len(samples) / 16_000), lambda: wanted)


def hear(model: ScriptedModel, samples: Float32, request: Request = ENGLISH) -> Heard:
    """What a clip of its own comes to, after as many tries as it takes."""
    recognizer = Recognizer(model)
    (result,) = recognizer.transcribe([clip(samples, request)])
    while isinstance(result, Again):
        (result,) = recognizer.transcribe([result.work])
    return done(result)


def done(result: Outcome[Heard, Clip[int]]) -> Heard:
    assert isinstance(result, Done)
    return result.result


def test_a_good_transcript_takes_one_short_try() -> None:
    model = ScriptedModel(decoded(0, 1, 2))
    heard = hear(model, speech(2))
    assert (heard.text, heard.fault, model.contexts) == (" aaaaa bbbbb ccccc", None, [5])


def test_a_doubtful_transcript_is_tried_again_with_a_longer_context_and_a_larger_budget() -> None:
    model = ScriptedModel(decoded(0, 0, 0, 0, ended=False), decoded(0, 1))
    heard = hear(model, speech(2))
    assert (heard.text, heard.fault, model.contexts) == (" aaaaa bbbbb", None, [5, 15])
    assert model.budgets[1] == 2 * model.budgets[0]


def test_a_second_doubtful_transcript_is_taken_and_said_to_be_doubtful() -> None:
    model = ScriptedModel(decoded(0, 1, log_probability=-1.4), decoded(0, 2, log_probability=-1.3))
    heard = hear(model, speech(2))
    assert (heard.text, heard.fault) == (" aaaaa ccccc", Fault.UNLIKELY)
    assert len(model.contexts) == 2


def test_a_second_try_without_an_end_loses_to_a_first_that_had_one() -> None:
    model = ScriptedModel(decoded(0, 1, log_probability=-1.4), decoded(*[3] * 60, ended=False))
    assert hear(model, speech(2)).text == " aaaaa bbbbb"


def test_a_loop_in_both_tries_is_said_once() -> None:
    model = ScriptedModel(decoded(*[0, 1] * 9, ended=False), decoded(*[2, 3] * 9, ended=False))
    assert hear(model, speech(2)).text == " ccccc ddddd"


def test_silence_costs_no_look_at_the_model() -> None:
    model = ScriptedModel()
    heard = hear(model, np.zeros(32_000, np.float32), Request())
    assert (heard.text, heard.language, model.contexts) == ("", None, [])


def test_nothing_said_has_no_language_of_its_own() -> None:
    model = ScriptedModel(*[decoded(0, log_probability=-1.5, no_speech=0.9)] * 2)
    heard = hear(model, speech(2), Request())
    assert (heard.text, heard.language) == ("", None)


def test_a_language_that_is_not_told_is_detected_on_the_same_encoder_output() -> None:
    model = ScriptedModel(decoded(0, 1), languages={"de": 0.7, "en": 0.3})
    heard = hear(model, speech(1), Request())
    assert heard.language is not None
    assert (heard.language.code, len(model.contexts)) == ("de", 1)


def test_chinese_is_prompted_into_simplified_characters_and_has_no_leading_space() -> None:
    model = ScriptedModel(decoded(0, 1))
    heard = hear(model, speech(1), Request(Language("zh", 1.0), hint="北京"))
    assert model.prompts == ["以下是普通话的句子。 北京"]
    assert heard.text == "aaaaa bbbbb"


def test_words_are_aligned_only_where_they_are_asked_for() -> None:
    model = ScriptedModel(decoded(0, 1), decoded(0, 1))
    assert hear(model, speech(1)).words == ()
    assert len(hear(model, speech(1), Request(Language("en", 1.0), words=True)).words) == 2


def test_work_that_nobody_waits_for_does_not_reach_the_model() -> None:
    model = ScriptedModel(decoded(0, 1))
    results = Recognizer(model).transcribe([clip(speech(1), wanted=False), clip(speech(1))])
    assert isinstance(results[0], Failed)
    assert isinstance(results[0].error, AbandonedError)
    assert (done(results[1]).text, model.batches) == (" aaaaa bbbbb", [1])


def test_a_batch_that_everybody_left_ends_before_decoding() -> None:
    answers = iter((True, True, False, False))
    model = ScriptedModel()
    asked: Clip[int] = Clip(float_to_pcm(speech(1)), ENGLISH, 5, lambda: next(answers))
    results = Recognizer(model).transcribe([asked, asked])
    assert all(isinstance(each, Failed) and isinstance(each.error, AbandonedError) for each in results)
    assert (model.batches, model.prompts) == ([2], [])


def test_a_batch_is_one_call_and_each_clip_keeps_what_is_its_own() -> None:
    model = ScriptedModel(decoded(0, 1), decoded(2, 3), languages={"de": 0.9, "en": 0.1})
    told = Request(Language("en", 1.0), hint="Wombat")
    first, second, third = Recognizer(model).transcribe(
        [clip(speech(1), told), clip(np.zeros(16_000, np.float32)), clip(speech(2), Request())]
    )
    assert [done(each).text for each in (first, second, third)] == [" aaaaa bbbbb", "", " ccccc ddddd"]
    languages = [heard.language.code for heard in (done(first), done(third)) if heard.language]
    assert (languages, model.prompts, model.batches) == (["en", "de"], ["Wombat", ""], [2])
    assert model.budgets[0] < model.budgets[1]


def test_a_doubtful_clip_comes_back_alone_and_the_rest_of_its_batch_does_not_wait() -> None:
    model = ScriptedModel(decoded(0, 1), decoded(0, log_probability=-1.4), decoded(2, 3))
    first, second = Recognizer(model).transcribe([clip(speech(1)), clip(speech(1))])
    assert done(first).text == " aaaaa bbbbb"
    assert isinstance(second, Again)
    assert (second.bucket, second.work.context_s, model.contexts) == (15, 15, [5])


def test_a_clip_that_breaks_the_model_breaks_no_other() -> None:
    class Fragile(ScriptedModel):
        def encode(self, clips: Sequence[Float32], context_s: int) -> int:
            if any(len(each) == 16_001 for each in clips):
                raise RuntimeError("an odd clip")
            return super().encode(clips, context_s)

    model = Fragile(decoded(0, 1), decoded(2, 3))
    odd = np.append(speech(1), np.float32(0))
    first, second, third = Recognizer(model).transcribe([clip(speech(1)), clip(odd), clip(speech(1))])
    assert [done(first).text, done(third).text] == [" aaaaa bbbbb", " ccccc ddddd"]
    assert isinstance(second, Failed)
    assert str(second.error) == "an odd clip"


def test_words_that_cannot_be_aligned_fail_only_their_clip() -> None:
    class Unaligned(ScriptedModel):
        def align(self, encoded: int, row: int, language: str, tokens: Sequence[int]) -> list[TimedWord]:
            raise RuntimeError("no alignment")

    model = Unaligned(decoded(0, 1), decoded(2, 3))
    first, second = Recognizer(model).transcribe(
        [clip(speech(1), Request(Language("en", 1.0), words=True)), clip(speech(1))]
    )
    assert isinstance(first, Failed)
    assert done(second).text == " ccccc ddddd"
