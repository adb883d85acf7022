"""From what was heard to the figures of one endpointing. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from chassis.audio import SAMPLE_RATE, ms_to_samples
from client.bench.statistics import Spread, spread
from services.orchestrator.endpointing import Endpointing
from tests.bench.endpointing.clips import PAUSE, Clip, Kind
from tests.bench.endpointing.hearing import Heard, Stopped
from tests.bench.endpointing.replay import replay, stretched
from tests.bench.endpointing.sentences import Half

LENGTHS_MS = range(300, 1600, 200)
"""Pauses that are made of the one in each clip."""
BUCKETS_MS = ((300, 500), (700, 900), (1100, 1500))
SOON_MS = 320.0
"""300 ms and the block in which they end."""
Sample = tuple[Clip, Heard]


@dataclass(frozen=True, slots=True)
class CutOffs:
    """Shares of pauses in which the turn was taken: of all lengths, and by `BUCKETS_MS`."""

    all: float
    by_length: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one endpointing does to one half. Delays in ms, after the last speech that the VAD heard and after the last
    sample that a person hears; shares in [0, 1]."""

    joined: CutOffs
    cut: CutOffs
    within: float
    """Cut-offs of the pauses that voices make by themselves, within sentences: shorter ones than those made."""
    delay: Spread
    audible: Spread
    soon: float
    """Share of complete turns taken within `SOON_MS`."""

    @property
    def cut_offs(self) -> float:
        """Share of all pauses made in which the turn was taken."""
        return (self.joined.all + self.cut.all) / 2


def figures(samples: Iterable[Sample], endpointing: Endpointing) -> Figures:
    """The figures of `endpointing` for the samples of one half, complete and paused ones."""
    complete = [each for each in samples if each[0].kind is Kind.COMPLETE]
    paused = [each for each in samples if each[0].kind in (Kind.JOINED, Kind.CUT)]
    taken = [replay(heard, endpointing) for _, heard in complete]
    delays, audible = _delays(complete, taken)
    natural = [each for ends in taken for each in ends[:-1]]
    return Figures(
        joined=_cut_offs([each for each in paused if each[0].kind is Kind.JOINED], endpointing),
        cut=_cut_offs([each for each in paused if each[0].kind is Kind.CUT], endpointing),
        within=_share(natural),
        delay=_spread(delays),
        audible=_spread(audible),
        soon=mean(delay <= SOON_MS for delay in delays),
    )


def asked(samples: Iterable[Sample], endpointing: Endpointing) -> tuple[Spread, Spread]:
    """Delays of complete turns alone, as in `Figures`."""
    complete = list(samples)
    delays, audible = _delays(complete, [replay(heard, endpointing) for _, heard in complete])
    return _spread(delays), _spread(audible)


@dataclass(frozen=True, slots=True)
class People:
    """What happened to recorded people: pauses within a sentence, and how many were taken for its end; delays in ms
    after complete sentences, None where the person went on before the turn was taken."""

    pauses: int
    cut_offs: int
    delays: tuple[float | None, ...]


def people(samples: Iterable[Sample], endpointing: Endpointing) -> People:
    """The recordings among `samples`."""
    pauses: list[int | None] = []
    delays: list[float | None] = []
    for clip, heard in samples:
        taken = replay(heard, endpointing)
        ends = [
            None if at is None else (at - stop.offset) * 1000 / SAMPLE_RATE
            for at, stop in zip(taken, _stops(heard), strict=True)
        ]
        if clip.kind is Kind.SPEECH:
            pauses += taken[:-1]
            delays.append(ends[-1])
        elif clip.kind is Kind.LINES:
            delays += ends
    return People(len(pauses), sum(each is not None for each in pauses), tuple(delays))


def half(samples: Iterable[Sample], *halves: Half) -> list[Sample]:
    """The synthesised samples of some halves."""
    return [each for each in samples if each[0].half in halves and each[0].kind not in (Kind.SPEECH, Kind.LINES)]


def _cut_offs(paused: Sequence[Sample], endpointing: Endpointing) -> CutOffs:
    by_length = {
        length: _share(
            replay(stretched(heard, clip.resumed, ms_to_samples(length) - PAUSE), endpointing)[-1]
            for clip, heard in paused
        )
        for length in LENGTHS_MS
    }
    buckets = (mean(share for length, share in by_length.items() if low <= length <= high) for low, high in BUCKETS_MS)
    return CutOffs(mean(by_length.values()), tuple(buckets))


def _delays(complete: Sequence[Sample], taken: Sequence[Sequence[int | None]]) -> tuple[list[float], list[float]]:
    """Milliseconds from the end of speech to the end of the turn: as the VAD heard it, and as it can be heard."""
    delays, audible = [], []
    for (clip, heard), ends in zip(complete, taken, strict=True):
        assert ends[-1] is not None, f"never taken: {clip.name}"
        delays.append((ends[-1] - _stops(heard)[-1].offset) * 1000 / SAMPLE_RATE)
        audible.append((ends[-1] - clip.audible_end) * 1000 / SAMPLE_RATE)
    return delays, audible


def _stops(heard: Heard) -> list[Stopped]:
    return [event for event in heard if isinstance(event, Stopped)]


def _share(taken: Iterable[int | None]) -> float:
    found = [each is not None for each in taken]
    return mean(found) if found else 0.0


def _spread(values: Iterable[float]) -> Spread:
    found = spread(values)
    assert found is not None
    return found
