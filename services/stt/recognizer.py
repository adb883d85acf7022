"""Clips to text, in batches: a short context first, a look at the result, a longer context where it is doubtful.

The second try is work of its own, so that the rest of the batch does not wait for it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeAlias, TypeVar

from chassis.audio import SAMPLE_RATE, Float32, pcm_to_float
from services.stt import guard
from services.stt.activity import active_frames, levels_db, speech_seconds
from services.stt.alignment import TimedWord, within_sound
from services.stt.batching import Again, Done, Failed, Outcome
from services.stt.guard import Evidence, Fault
from services.stt.language import UNSPACED, Belief, Language
from services.stt.whisper_model import Decoded, Wanted
from services.stt.windows import MAX_CONTEXT_S, retry_context

log = logging.getLogger(__name__)

AUDIBLE_DB = -60.0
"""Level of the loudest 20 ms, in dB of full scale, under which a clip is silence."""
PROMPTS: Mapping[str, str] = {"zh": "以下是普通话的句子。"}
"""What makes the model write as most readers expect: Chinese in simplified characters."""

RETRY_BUDGET = 2
"""Times the token budget in the second try: where the first was endless, the person may just speak fast."""

EncodedT = TypeVar("EncodedT")


class AbandonedError(Exception):
    """Nobody waits for the job any more."""


class Model(Protocol[EncodedT]):
    """The steps of a Whisper model for a batch of clips; see `WhisperModel`."""

    multilingual: bool

    def encode(self, clips: Sequence[Float32], context_s: int) -> EncodedT: ...
    def detect(self, encoded: EncodedT) -> Sequence[Mapping[str, float]]: ...
    def decode(self, encoded: EncodedT, wanted: Sequence[Wanted]) -> Sequence[Decoded]: ...
    def text(self, tokens: Sequence[int], language: str) -> str: ...
    def align(self, encoded: EncodedT, row: int, language: str, tokens: Sequence[int]) -> list[TimedWord]: ...


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
    row: int
    language: Language
    belief: Belief
    decoded: Decoded
    evidence: Evidence
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Clip(Generic[EncodedT]):
    """PCM s16le at 16 kHz, at most 30 s, to be transcribed with a context of `context_s` seconds.

    `wanted` is asked between the steps whether somebody still waits for it. `first` is a try that left doubts.
    """

    pcm: bytes
    request: Request
    context_s: int
    wanted: Callable[[], bool]
    first: _Attempt[EncodedT] | None = None


@dataclass(frozen=True, slots=True)
class _Sound(Generic[EncodedT]):
    """A clip, heard but not understood."""

    clip: Clip[EncodedT]
    samples: Float32
    speech_s: float

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


Result: TypeAlias = Outcome[Heard, Clip[EncodedT]]


class Recognizer(Generic[EncodedT]):
    """Transcribes clips with a model that it shares with other threads."""

    def __init__(self, model: Model[EncodedT]) -> None:
        self._model = model

    def transcribe(self, clips: Sequence[Clip[EncodedT]]) -> list[Result[EncodedT]]:
        """One try at each of `clips`, all of the same context.

        A clip that is worth a second try, with a longer context, comes back as Again. One that fails fails alone, with
        AbandonedError where nobody wants it.
        """
        results: dict[int, Result[EncodedT]] = {}
        sounds: dict[int, _Sound[EncodedT]] = {}
        for index, clip in enumerate(clips):
            if not clip.wanted():
                results[index] = Failed(AbandonedError())
                continue
            samples = pcm_to_float(clip.pcm)
            sound = _Sound(clip, samples, speech_seconds(samples))
            if _is_audible(samples):
                sounds[index] = sound
            else:
                results[index] = Done(Heard("", clip.request.language, sound.speech_s, clip.request.belief))
        if sounds:
            results |= zip(sounds, self._tried(list(sounds.values())), strict=True)
        return [results[index] for index in range(len(clips))]

    def _tried(self, sounds: Sequence[_Sound[EncodedT]]) -> list[Result[EncodedT]]:
        try:
            attempts = self._attempt(sounds)
        except Exception as error:  # raised where the clips are waited for
            if len(sounds) == 1 or isinstance(error, AbandonedError):
                return [Failed(error)] * len(sounds)
            log.warning("a batch failed, clip by clip now", exc_info=True, extra={"clips": len(sounds)})
            return [result for sound in sounds for result in self._tried([sound])]
        return [self._judged(sound, attempt) for sound, attempt in zip(sounds, attempts, strict=True)]

    def _judged(self, sound: _Sound[EncodedT], attempt: _Attempt[EncodedT]) -> Result[EncodedT]:
        try:
            return self._judge(sound, attempt)
        except Exception as error:  # raised where the clip is waited for
            return Failed(error)

    def _judge(self, sound: _Sound[EncodedT], attempt: _Attempt[EncodedT]) -> Result[EncodedT]:
        clip, request = sound.clip, sound.clip.request
        if clip.first is not None:
            attempt = _better(clip.first, attempt)
        elif attempt.fault is not None and sound.speech_s >= guard.FAINT_SPEECH_S and clip.context_s < MAX_CONTEXT_S:
            log.debug("doubtful transcript", extra={"fault": attempt.fault, "context_s": clip.context_s})
            context_s = retry_context(sound.seconds, clip.context_s)
            return Again(replace(clip, context_s=context_s, first=attempt), context_s)
        if guard.nothing_said(attempt.evidence):
            return Done(Heard("", request.language, sound.speech_s, request.belief))
        tokens = attempt.decoded.tokens
        if not attempt.decoded.ended and (loop := guard.loop_start(tokens)) is not None:
            tokens = tokens[:loop]
        code = attempt.language.code
        words: list[TimedWord] = []
        if request.words:
            aligned = self._model.align(attempt.encoded, attempt.row, code, tokens)
            words = within_sound(aligned, active_frames(sound.samples))
        text = self._model.text(tokens, code).strip()
        if code not in UNSPACED:
            text = f" {text}"
        return Done(Heard(text, attempt.language, sound.speech_s, attempt.belief, tuple(words), attempt.fault))

    def _attempt(self, sounds: Sequence[_Sound[EncodedT]]) -> list[_Attempt[EncodedT]]:
        encoded = self._model.encode([sound.samples for sound in sounds], sounds[0].clip.context_s)
        if not any(sound.clip.wanted() for sound in sounds):
            raise AbandonedError
        spoken = self._languages(encoded, sounds)
        wanted = []
        for sound, (language, _) in zip(sounds, spoken, strict=True):
            prompt = " ".join(filter(None, (PROMPTS.get(language.code), sound.clip.request.hint)))
            budget = guard.token_budget(sound.seconds, language.code)
            wanted.append(Wanted(language.code, prompt, budget * (1 if sound.clip.first is None else RETRY_BUDGET)))
        attempts = []
        for row, decoded in enumerate(self._model.decode(encoded, wanted)):
            language, belief = spoken[row]
            evidence = Evidence(
                text=self._model.text(decoded.tokens, language.code),
                tokens=decoded.tokens,
                ended=decoded.ended,
                log_probability=decoded.log_probability,
                no_speech_probability=decoded.no_speech_probability,
                speech_s=sounds[row].speech_s,
                language=language.code,
            )
            attempts.append(_Attempt(encoded, row, language, belief, decoded, evidence, guard.fault(evidence)))
        return attempts

    def _languages(self, encoded: EncodedT, sounds: Sequence[_Sound[EncodedT]]) -> list[tuple[Language, Belief]]:
        requests = [sound.clip.request for sound in sounds]
        detected = self._model.detect(encoded) if any(request.language is None for request in requests) else ()
        languages = []
        for row, request in enumerate(requests):
            language, belief = request.language, request.belief
            if language is None:
                belief = belief.after(detected[row], sounds[row].speech_s)
                language = belief.likeliest
            languages.append((language, belief))
        return languages


def _is_audible(samples: Float32) -> bool:
    levels = levels_db(samples)
    return bool(len(levels)) and float(levels.max()) >= AUDIBLE_DB


def _better(first: _Attempt[EncodedT], second: _Attempt[EncodedT]) -> _Attempt[EncodedT]:
    """The second attempt, which saw more, unless only it has no end."""
    return first if second.fault is Fault.ENDLESS and first.fault is not Fault.ENDLESS else second
