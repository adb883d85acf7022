"""One clip to text: a short context first, a look at the result, a longer context where it is doubtful."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from chassis.audio import SAMPLE_RATE, Float32
from services.stt import guard
from services.stt.activity import active_frames, levels_db, speech_seconds
from services.stt.alignment import TimedWord, within_sound
from services.stt.guard import Evidence, Fault
from services.stt.language import UNSPACED, Belief, Language
from services.stt.whisper_model import Decoded
from services.stt.windows import MAX_CONTEXT_S, retry_context, short_context

log = logging.getLogger(__name__)

AUDIBLE_DB = -60.0
"""Level of the loudest 20 ms, in dB of full scale, under which a clip is silence."""
PROMPTS: Mapping[str, str] = {"zh": "以下是普通话的句子。"}
"""What makes the model write as most readers expect: Chinese in simplified characters."""

RETRY_BUDGET = 2
"""Times the token budget in the second try: where the first was endless, the person may just speak fast."""

EncodedT = TypeVar("EncodedT")


class Model(Protocol[EncodedT]):
    """The steps of a Whisper model; see `WhisperModel`."""

    multilingual: bool

    def encode(self, samples: Float32, context_s: int) -> EncodedT: ...
    def detect(self, encoded: EncodedT) -> Mapping[str, float]: ...
    def decode(self, encoded: EncodedT, language: str, prompt: str, budget: int) -> Decoded: ...
    def text(self, tokens: Sequence[int], language: str) -> str: ...
    def align(self, encoded: EncodedT, language: str, tokens: Sequence[int]) -> list[TimedWord]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What is known before a clip is heard. `language` None: to be detected, `belief` is what is known of it; `words`:
    with times."""

    language: Language | None = None
    belief: Belief = field(default_factory=Belief)
    hint: str = ""
    words: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """A clip's transcript. `text` begins with a space where words are spaced; empty where nothing was said.

    `language` is None where it was to be detected and nothing was said; `belief` is what is known of it now. `fault`
    says what remains doubtful.
    """

    text: str
    language: Language | None
    speech_s: float
    belief: Belief
    words: tuple[TimedWord, ...] = ()
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _Attempt(Generic[EncodedT]):
    encoded: EncodedT
    context_s: int
    language: Language
    belief: Belief
    decoded: Decoded
    evidence: Evidence
    fault: Fault | None


class Recognizer(Generic[EncodedT]):
    """Transcribes clips with a model that it shares with other threads."""

    def __init__(self, model: Model[EncodedT]) -> None:
        self._model = model

    def transcribe(self, samples: Float32, request: Request, proceed: Callable[[], None]) -> Heard:
        """Transcribes float32 [samples] at 16 kHz, at most 30 s.

        `proceed` is called between the steps; what it raises ends the work.
        """
        speech_s = speech_seconds(samples)
        levels = levels_db(samples)
        if not len(levels) or float(levels.max()) < AUDIBLE_DB:
            return Heard("", request.language, speech_s, request.belief)
        seconds = len(samples) / SAMPLE_RATE
        attempt = self._attempt(samples, short_context(seconds), speech_s, request, proceed)
        worth_it = speech_s >= guard.FAINT_SPEECH_S and attempt.context_s < MAX_CONTEXT_S
        if attempt.fault is not None and worth_it:
            log.debug("doubtful transcript", extra={"fault": attempt.fault, "context_s": attempt.context_s})
            proceed()
            context_s = retry_context(seconds, attempt.context_s)
            attempt = _better(attempt, self._attempt(samples, context_s, speech_s, request, proceed, RETRY_BUDGET))
        if guard.nothing_said(attempt.evidence):
            return Heard("", request.language, speech_s, request.belief)
        tokens = attempt.decoded.tokens
        if not attempt.decoded.ended and (loop := guard.loop_start(tokens)) is not None:
            tokens = tokens[:loop]
        code = attempt.language.code
        words: list[TimedWord] = []
        if request.words:
            words = within_sound(self._model.align(attempt.encoded, code, tokens), active_frames(samples))
        text = self._model.text(tokens, code).strip()
        if code not in UNSPACED:
            text = f" {text}"
        return Heard(text, attempt.language, speech_s, attempt.belief, tuple(words), attempt.fault)

    def _attempt(
        self,
        samples: Float32,
        context_s: int,
        speech_s: float,
        request: Request,
        proceed: Callable[[], None],
        budget_factor: int = 1,
    ) -> _Attempt[EncodedT]:
        encoded = self._model.encode(samples, context_s)
        proceed()
        language, belief = request.language, request.belief
        if language is None:
            belief = belief.after(self._model.detect(encoded), speech_s)
            language = belief.likeliest
        prompt = " ".join(filter(None, (PROMPTS.get(language.code), request.hint)))
        budget = budget_factor * guard.token_budget(len(samples) / SAMPLE_RATE, language.code)
        decoded = self._model.decode(encoded, language.code, prompt, budget)
        evidence = Evidence(
            text=self._model.text(decoded.tokens, language.code),
            tokens=decoded.tokens,
            ended=decoded.ended,
            log_probability=decoded.log_probability,
            no_speech_probability=decoded.no_speech_probability,
            speech_s=speech_s,
            language=language.code,
        )
        return _Attempt(encoded, context_s, language, belief, decoded, evidence, guard.fault(evidence))


def _better(first: _Attempt[EncodedT], second: _Attempt[EncodedT]) -> _Attempt[EncodedT]:
    """The second attempt, which saw more, unless only it has no end."""
    return first if second.fault is Fault.ENDLESS and first.fault is not Fault.ENDLESS else second
