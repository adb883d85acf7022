"""A dialogue as a file says it: what the person does, and where the assistant's replies end. Pure but for `load`.

The README of `conversations/` shows what a file looks like.
"""

import re
import tomllib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.orchestrator.edge.realtime.client_events import TurnDetection
from tests.fleet.dialogue.sounds import Kind

# With the space before it, so that the words on both sides stay apart by one.
_PAUSE = re.compile(r"\s*\((\d+) ms\)")
_MAX_MS = 60_000


class ScriptError(Exception):
    """A file is no dialogue; the text names the file, the step and the field, and says what was expected."""


def _with_words(text: str) -> str:
    said = _PAUSE.sub("", text)
    if any(bracket in said for bracket in "()"):
        raise ValueError("expected a pause to be written like (600 ms)")
    if not any(char.isalnum() for char in said):
        raise ValueError("expected words to say")
    return text


Words = Annotated[str, AfterValidator(_with_words)]
Milliseconds = Annotated[int, Field(ge=1, le=_MAX_MS)]
Phrases = Annotated[Sequence[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
Language = Annotated[str, Field(pattern="^[a-z]{2}$")]


class _Model(BaseModel):
    """Unknown fields are errors, and nothing is taken for what it is not: a misspelt expectation would never fail."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ModelT = TypeVar("ModelT", bound=_Model)


class Speech(_Model):
    """The person says something. "(600 ms)" in the text is a pause of that length, in one breath otherwise."""

    language: Language | None = None
    voice: str = ""
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    amid: Kind | None = None
    snr_db: Annotated[float, Field(ge=-10, le=60)] | None = None

    @property
    @abstractmethod
    def text(self) -> str:
        """What is said, with its pauses."""

    @property
    def words(self) -> str:
        """What is said, without its pauses."""
        return _PAUSE.sub("", self.text)

    @property
    def pauses(self) -> list[tuple[int, int]]:
        """Each pause: how many characters of `words` come before it, and its milliseconds."""
        removed, found = 0, []
        for mark in _PAUSE.finditer(self.text):
            found.append((mark.start() - removed, int(mark[1])))
            removed += len(mark[0])
        return found

    @model_validator(mode="after")
    def _noise_has_a_level(self) -> "Speech":
        if (self.amid is None) != (self.snr_db is None):
            raise ValueError("amid and snr_db: expected both or neither")
        return self


class Say(Speech):
    """A turn of the person's. `understood`: phrases that its transcript has, every one."""

    say: Words
    understood: Phrases = ()

    @property
    def text(self) -> str:
        return self.say


class Interrupt(Speech):
    """A turn of the person's that begins when so much of the reply has been heard, and takes the floor."""

    interrupt: Words
    into_reply_ms: Milliseconds
    understood: Phrases = ()

    @property
    def text(self) -> str:
        return self.interrupt


class Backchannel(Speech):
    """A listener's sound during the reply: no turn."""

    backchannel: Words
    into_reply_ms: Milliseconds

    @property
    def text(self) -> str:
        return self.backchannel


class Noise(_Model):
    """A sound that is no speech, alone or during the reply: no turn. `level_dbfs` is its RMS level."""

    noise: Kind
    ms: Milliseconds
    level_dbfs: Annotated[float, Field(ge=-90, le=-6)] = -26.0
    into_reply_ms: Milliseconds | None = None


class Silence(_Model):
    """The person says nothing."""

    silence_ms: Milliseconds


class Client(_Model):
    """The person's client asks for something, as with a button that is pressed to talk."""

    client: Literal["commit", "respond", "cancel", "clear"]

    EVENTS: ClassVar[Mapping[str, str]] = {
        "commit": "input_audio_buffer.commit",
        "respond": "response.create",
        "cancel": "response.cancel",
        "clear": "input_audio_buffer.clear",
    }

    @property
    def event(self) -> str:
        """Type of the client event."""
        return self.EVENTS[self.client]


class Reply(_Model):
    """A reply ends here: the person waits for it, and it is judged.

    `says`: phrases of which it says one, by its transcript and by ear. `never_says`: phrases that are in neither.
    `paused`: it fell silent on the way and went on. `every_word_once`: what is heard is the transcript, nothing is
    missing and nothing comes twice.
    """

    reply: Literal["completed", "interrupted"]
    says: Phrases = ()
    never_says: Phrases = ()
    language: Literal["en", "zh", "ja"] | None = None
    paused: bool = False
    every_word_once: bool = False


class Session(_Model):
    """How the session is configured; what is not named stays as the server has it."""

    instructions: str | None = None
    language: Language | None = None
    voice: str | None = None
    turn_detection: TurnDetection | Literal["off"] | None = None
    """As the protocol has it; "off" is the protocol's null."""

    @property
    def update(self) -> dict[str, Any]:
        """The `session` of a `session.update`."""
        listening: dict[str, Any] = {}
        if self.language is not None:
            listening["transcription"] = {"language": self.language}
        if self.turn_detection is not None:
            wish = self.turn_detection
            listening["turn_detection"] = None if wish == "off" else wish.model_dump(exclude_none=True)
        audio: dict[str, Any] = {"input": listening}
        if self.voice is not None:
            audio["output"] = {"voice": self.voice}
        instructions = {} if self.instructions is None else {"instructions": self.instructions}
        return {"type": "realtime", "audio": audio} | instructions


Step = Say | Interrupt | Backchannel | Noise | Silence | Client | Reply
# By the field that only that kind of step has.
_STEPS: Mapping[str, type[Step]] = {
    "say": Say,
    "interrupt": Interrupt,
    "backchannel": Backchannel,
    "noise": Noise,
    "silence_ms": Silence,
    "client": Client,
    "reply": Reply,
}


class Dialogue(_Model):
    """One conversation. There are as many turns as it has `say` and `interrupt`, as many replies as it has `reply`."""

    title: Annotated[str, Field(min_length=1)]
    session: Session = Session()
    script: tuple[Step, ...]

    @property
    def turns(self) -> list[Say | Interrupt]:
        """The person's turns, in order."""
        return [step for step in self.script if isinstance(step, Say | Interrupt)]

    @property
    def replies(self) -> list[Reply]:
        """The assistant's replies, in order."""
        return [step for step in self.script if isinstance(step, Reply)]


def load(path: Path) -> Dialogue:
    """Reads a file. Raises ScriptError."""
    return parse(path.read_text(encoding="utf-8"), path.name)


def parse(text: str, name: str) -> Dialogue:
    """Reads the text of the file called `name`. Raises ScriptError."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"{name}: expected TOML: {error}") from error
    steps = values.get("script")
    if not isinstance(steps, list) or not steps:
        raise ScriptError(f'{name}: script: expected a list of steps, each like {{say = "..."}}')
    values["script"] = tuple(_step(step, f"{name}: step {number}") for number, step in enumerate(steps, 1))
    dialogue = _checked(Dialogue, values, name)
    _check_order(dialogue.script, name)
    return dialogue


def _step(values: object, where: str) -> Step:
    kinds = [kind for kind in _STEPS if isinstance(values, dict) and kind in values]
    if len(kinds) != 1:
        found = f"found {' and '.join(kinds)}" if kinds else f"got {values!r}"
        raise ScriptError(f"{where}: expected one of {', '.join(_STEPS)}; {found}")
    return _checked(_STEPS[kinds[0]], values, where)


def _checked(model: type[ModelT], values: object, where: str) -> ModelT:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        problem = first["msg"].removeprefix("Value error, ")
        got = "" if first["type"] == "missing" or not field else f", got {first['input']!r}"
        raise ScriptError(": ".join(part for part in (where, field, problem) if part) + got) from error


def _check_order(script: Sequence[Step], name: str) -> None:
    """What is said into a reply needs that reply, whose end stands behind it."""
    for number, step in enumerate(script, 1):
        ending = next((each for each in script[number:] if isinstance(each, Reply)), None)
        where = f"{name}: step {number}"
        if isinstance(step, Interrupt) and (ending is None or ending.reply != "interrupted"):
            raise ScriptError(f'{where}: interrupt: expected {{reply = "interrupted"}} to be the next reply behind it')
        if isinstance(step, Backchannel | Noise) and step.into_reply_ms is not None and ending is None:
            raise ScriptError(f"{where}: into_reply_ms: expected a reply behind it")
