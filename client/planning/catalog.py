"""What is known of engines, machines, talk and prices: the files of `data/`, read and checked."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, TypeVar

from client.planning.figures import (
    Curve,
    Distribution,
    Figure,
    FigureError,
    Origin,
    read_curve,
    read_distribution,
    read_figure,
)

MACHINES = ("h100", "cpu")
"""Machines with a file of their own."""
TALKS = ("conversation", "bench")
"""Ways to talk in `talk.toml`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How any stage serves: `slots` jobs at once, of which n take `slowdown(n)` times as long as one, and the part of
    the machine that it wants meanwhile. `stream_limit` is the load at which nothing is prepared ahead any more, of
    which the orchestrator's `draft_load_limit` is a share. `memory_gb` is what it holds on a card."""

    engine: str
    processor: str
    slots: Figure
    slowdown: Curve
    demand: Curve
    yields: bool
    stream_limit: Figure
    memory_gb: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Service):
    """Speech to text: `base_s`, plus `encode_s` for each second of context, plus `token_s` for each token. The context
    is the speech and `context_more_s`, at least `context_least_s`."""

    base_s: Figure
    encode_s: Figure
    token_s: Figure
    context_more_s: Figure
    context_least_s: Figure

    def work_s(self, speech_s: float, tokens: float) -> float:
        """Seconds for one transcript, alone."""
        context = max(self.context_least_s.value, speech_s + self.context_more_s.value)
        return self.base_s.value + self.encode_s.value * context + self.token_s.value * tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking(Service):
    """The language model: `base_s` a request, then tokens in and out. `template_tokens` come behind the person's words;
    `prompt_tokens` before them, which the last `warm_prompts` sessions need not have read again."""

    base_s: Figure
    prefill_s: Figure
    decode_s: Figure
    template_tokens: Figure
    prompt_tokens: Figure
    warm_prompts: Figure

    def work_s(self, tokens_in: float, tokens_out: float) -> float:
        """Seconds for one request, alone."""
        return self.base_s.value + self.prefill_s.value * tokens_in + self.decode_s.value * tokens_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaking(Service):
    """Text to speech: `first_s` to the first audio of a piece and `rtf` seconds a second of audio; `first_audio_s` is
    how much audio comes first, or 0 where a piece comes whole."""

    first_s: Figure
    rtf: Figure
    first_audio_s: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing(Service):
    """Voice activity: it is `start_s` late to notice speech, calls `hangover_s` of silence speech, then counts
    `stop_silence_s`; `judge_s` is one look at whether the turn is over. `sound_end_s` is how soon the recogniser
    notices by itself that the sound has ended."""

    start_s: Figure
    hangover_s: Figure
    stop_silence_s: Figure
    judge_s: Figure
    sound_end_s: Figure


@dataclass(frozen=True, slots=True)
class Machine:
    """A card with its host, or cores alone. `capacity` of each processor in the unit of its stages' demand; a session
    takes `session_demand` of `host` all the time. `noise` is the sigma of each job's lognormal factor, `send_s` what
    lies between audio that is ready and audio that is heard on a near network."""

    name: str
    title: str
    capacity: Mapping[str, Figure]
    session_demand: Figure
    host: str
    noise: Figure
    send_s: Figure
    memory_gb: Figure
    orchestrator_sessions: Figure
    vad: Hearing
    stt: Listening
    llm: Thinking
    voices: Mapping[str, Speaking]


@dataclass(frozen=True, slots=True)
class Talk:
    """How people talk and what they are answered. Shares are of turns, from 0 to 1."""

    title: str
    sentences: tuple[str, ...]
    words_per_s: Distribution
    think_s: Distribution
    pause_share: Figure
    pause_s: Distribution
    done_probability: Distribution
    undone_probability: Distribution
    reply_words: Distribution
    first_clause_words: Distribution
    clause_words: Distribution
    tokens_per_word: Figure
    voice_words_per_s: Figure
    interrupt_share: Figure
    backchannel_share: Figure


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars; token prices are for a million of them."""

    card_hour: Mapping[str, Figure]
    hosted_name: str
    hosted_audio_in: Figure
    hosted_audio_cached: Figure
    hosted_audio_out: Figure
    hosted_tokens_per_s_in: Figure
    hosted_tokens_per_s_out: Figure
    call_s: Figure


@dataclass(frozen=True, slots=True)
class Measured:
    """Voice to voice of a run of the CPU fleet, in ms."""

    sessions: int
    p50_ms: float
    p90_ms: float
    source: str


def machine(name: str) -> Machine:
    """A machine of MACHINES. Raises FigureError."""
    if name not in MACHINES:
        raise FigureError(f"gpu: expected one of {', '.join(MACHINES)}, got {name!r}")
    return read_machine(name, _read(f"{name}.toml"))


def read_machine(name: str, data: Mapping[str, Any]) -> Machine:
    """A machine from the contents of its file. Raises FigureError."""
    stages = _section("machine", data, "stage")
    voices = _section("stage", stages, "tts")
    return Machine(
        name=name,
        title=str(data.get("title", name)),
        capacity={
            each: read_figure(f"capacity.{each}", value) for each, value in _section(name, data, "capacity").items()
        },
        host=str(data.get("host", "")),
        vad=_service(Hearing, "vad", _section("stage", stages, "vad")),
        stt=_service(Listening, "stt", _section("stage", stages, "stt")),
        llm=_service(Thinking, "llm", _section("stage", stages, "llm")),
        voices={voice: _service(Speaking, f"tts.{voice}", table) for voice, table in voices.items()},
        **_figures(name, data, "session_demand", "noise", "send_s", "memory_gb", "orchestrator_sessions"),
    )


def talk(name: str) -> Talk:
    """A way to talk of TALKS. Raises FigureError."""
    if name not in TALKS:
        raise FigureError(f"talk: expected one of {', '.join(TALKS)}, got {name!r}")
    data = _read("talk.toml")
    own = {**_section("talk", data, "common"), **_section("talk", data, name)}
    sentences = own.get("sentences")
    if not isinstance(sentences, list) or not sentences:
        raise FigureError(f"talk.{name}.sentences: expected sentences, got {sentences!r}")
    readers: Mapping[object, Callable[[str, object], object]] = {Distribution: read_distribution, Figure: read_figure}
    values = {
        field.name: readers[field.type](f"talk.{field.name}", own.get(field.name))
        for field in fields(Talk)
        if field.type in readers
    }
    return Talk(title=str(own.get("title", name)), sentences=tuple(map(str, sentences)), **values)  # type: ignore[arg-type]


def prices() -> Prices:
    """What cards and a hosted API cost. Raises FigureError."""
    data = _read("prices.toml")
    hosted = _section("prices", data, "hosted")
    return Prices(
        card_hour={name: read_figure(f"card_hour.{name}", each) for name, each in data["card_hour"].items()},
        hosted_name=str(hosted.get("name", "hosted")),
        hosted_audio_in=read_figure("hosted.audio_in", hosted.get("audio_in")),
        hosted_audio_cached=read_figure("hosted.audio_cached", hosted.get("audio_cached")),
        hosted_audio_out=read_figure("hosted.audio_out", hosted.get("audio_out")),
        hosted_tokens_per_s_in=read_figure("hosted.tokens_per_s_in", hosted.get("tokens_per_s_in")),
        hosted_tokens_per_s_out=read_figure("hosted.tokens_per_s_out", hosted.get("tokens_per_s_out")),
        call_s=read_figure("call_s", data.get("call_s")),
    )


def measured() -> list[Measured]:
    """What the CPU fleet was measured to do."""
    data = _read("measured.toml")
    return [Measured(each["sessions"], each["p50_ms"], each["p90_ms"], data["source"]) for each in data["run"]]


def origins(value: object) -> Iterator[Origin]:
    """Where every figure of a machine, a talk or prices comes from, in their order."""
    if isinstance(value, Figure | Curve | Distribution):
        yield value.origin
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from origins(each)
    elif isinstance(value, list):
        for each in value:
            yield from origins(each)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from origins(getattr(value, name))


def _service(kind: type[T], name: str, data: Mapping[str, Any]) -> T:
    values: dict[str, object] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        value = data.get(field.name)
        if field.type is Figure:
            values[field.name] = read_figure(f"{name}.{field.name}", value)
        elif field.type is Curve:
            values[field.name] = read_curve(f"{name}.{field.name}", value)
        elif field.type is bool:
            values[field.name] = bool(value)
        elif isinstance(value, str):
            values[field.name] = value
        else:
            raise FigureError(f"{name}.{field.name}: expected a text, got {value!r}")
    return kind(**values)


def _figures(name: str, data: Mapping[str, Any], *wanted: str) -> dict[str, Figure]:
    return {each: read_figure(f"{name}.{each}", data.get(each)) for each in wanted}


def _section(name: str, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = data.get(key)
    if not isinstance(section, Mapping):
        raise FigureError(f"{name}.{key}: expected a table, got {section!r}")
    return section


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files("client.planning") / "data" / name).read_text(encoding="utf-8"))
