import io

import numpy as np
import pytest
import pytest_asyncio
from rich.console import Console

from chassis.audio import SAMPLE_RATE, ms_to_samples
from client.bench.questions import QUESTIONS
from services.orchestrator.endpointing import FixedSilence, SemanticEndpointing
from services.tts.settings import Settings
from tests.bench.endpointing.__main__ import ENDPOINTINGS, tables
from tests.bench.endpointing.clips import PAUSE, Clip, Kind, Synthesiser
from tests.bench.endpointing.figures import LENGTHS_MS, Sample, asked, figures, half, people
from tests.bench.endpointing.fit import fit
from tests.bench.endpointing.hearing import Heard, Started, Stopped, stages
from tests.bench.endpointing.replay import BLOCK, LONGEST, replay, stretched
from tests.bench.endpointing.sentences import Half, Sentence, complete_turns, paused_turns

SECOND = SAMPLE_RATE


def spoken(text: str, probability: float, start_s: float = 0.5, end_s: float = 2.0) -> tuple[Started, Stopped]:
    """Speech that the VAD notices 64 ms after it begins and after it ends."""
    start, end, late = int(start_s * SECOND), int(end_s * SECOND), ms_to_samples(64)
    return Started(start, start + late), Stopped(end, end + late, probability, text, "en")


def paused(text: str, probability: float, pause: int = PAUSE) -> Heard:
    """Speech, a pause behind 2 s, and speech that goes on."""
    resumed = 2 * SECOND + pause
    return (*spoken(text, probability), Started(resumed, resumed + ms_to_samples(64)))


def sample(kind: Kind, heard: Heard, which: Half = Half.TEST) -> Sample:
    resumed = 2 * SECOND + PAUSE if kind in (Kind.JOINED, Kind.CUT) else 0
    return Clip("a clip", which, kind, "en", np.zeros(0, np.float32), 2 * SECOND - 800, resumed), heard


def test_no_sentence_is_in_two_halves() -> None:
    every = [*complete_turns(), *paused_turns()]
    assert len({sentence.text for sentence in every}) == len(every)
    assert {sentence.text for sentence in every if sentence.half is Half.BENCH} == set(QUESTIONS)


def test_there_are_forty_of_each_kind_in_each_half() -> None:
    for which in (Half.TRAIN, Half.TEST):
        assert sum(sentence.half is which for sentence in complete_turns()) >= 40
        assert sum(sentence.half is which for sentence in paused_turns()) >= 40
    assert all(sentence.after for sentence in paused_turns())
    assert not any(sentence.after for sentence in complete_turns())


@pytest.mark.parametrize("silence_s", [0.2, 0.5, 1.0])
def test_a_fixed_silence_takes_the_turn_when_it_is_over(silence_s: float) -> None:
    (taken,) = replay(spoken("What time is it?", 0.9), FixedSilence(silence_s))
    assert taken is not None
    assert 0 <= taken - 2 * SECOND - silence_s * SECOND <= BLOCK


def test_a_pause_shorter_than_the_silence_is_waited_out() -> None:
    assert replay(paused("I need flour.", 0.9), FixedSilence(1.0)) == [None]
    (taken,) = replay(paused("I need flour.", 0.9), FixedSilence(0.5))
    assert taken is not None


def test_a_pause_can_be_made_longer_and_shorter() -> None:
    heard = paused("I need flour.", 0.9)
    longer = stretched(heard, 2 * SECOND + PAUSE, SECOND)
    assert longer == paused("I need flour.", 0.9, PAUSE + SECOND)
    assert replay(longer, FixedSilence(1.0)) != [None]


def test_a_turn_that_was_taken_too_soon_is_taken_again() -> None:
    heard = (*spoken("I need flour.", 0.9), *spoken("I need flour and eggs.", 0.9, start_s=3.0, end_s=4.0))
    assert None not in replay(heard, FixedSilence(0.3))
    first, second = replay(heard, FixedSilence(1.0 + 0.1))
    assert first is None
    assert second is not None
    assert 4 * SECOND < second < 4 * SECOND + LONGEST


def test_the_decision_waits_for_the_text() -> None:
    heard = spoken("What time is it?", 0.99)
    (prompt,) = replay(heard, SemanticEndpointing(), transcript_s=0.1)
    (late,) = replay(heard, SemanticEndpointing(), transcript_s=0.5)
    assert prompt is not None
    assert late is not None
    assert prompt < 2.3 * SECOND < 2.5 * SECOND < late < 2.64 * SECOND


def test_cut_offs_are_shares_of_pauses_of_every_length() -> None:
    samples = [
        sample(Kind.COMPLETE, spoken("What time is it?", 0.9)),
        sample(Kind.JOINED, paused("I need flour.", 0.9)),
        sample(Kind.CUT, paused("Could you tell me if", 0.1)),
    ]
    # Speech is noticed 64 ms after a pause, and audio comes in blocks: 0.9 s and more are longer than 0.85 s.
    fixed = figures(samples, FixedSilence(0.85))
    longer = sum(length >= 900 for length in LENGTHS_MS) / len(LENGTHS_MS)
    assert fixed.joined.all == fixed.cut.all == fixed.cut_offs == pytest.approx(longer)
    assert fixed.joined.by_length == (0.0, 0.5, 1.0)
    assert fixed.delay.p50 == pytest.approx(850, abs=20)
    assert fixed.audible.p50 == pytest.approx(fixed.delay.p50 + 50)
    assert (fixed.soon, fixed.within) == (0.0, 0.0)
    semantic = figures(samples, SemanticEndpointing())
    assert (semantic.joined.all, semantic.cut.all, semantic.soon) == (1.0, 0.0, 1.0)
    assert asked(samples[:1], SemanticEndpointing()) == (semantic.delay, semantic.audible)


def test_recorded_people_are_counted_by_pause() -> None:
    speech = (*spoken("Ask not", 0.01), *spoken("Ask not what you can do.", 0.9, start_s=2.6, end_s=4.0))
    lines = (*spoken("Ever tried.", 0.9), *spoken("Ever tried. Ever failed.", 0.9, start_s=2.4, end_s=3.0))
    found = people([sample(Kind.SPEECH, speech), sample(Kind.LINES, lines)], FixedSilence(0.5))
    assert (found.pauses, found.cut_offs) == (1, 1)
    end, first, second = found.delays
    assert first is None
    assert end == pytest.approx(500, abs=20)
    assert second == pytest.approx(500, abs=20)


def test_the_fit_finds_out_what_speaks_for_an_end() -> None:
    samples = [
        sample(Kind.COMPLETE, spoken(text, probability))
        for text in ("What time is it?", "Turn off the lights.", "Yes")
        for probability in (0.6, 0.9)
    ] + [
        sample(Kind.CUT, paused(text, probability))
        for text in ("Could you tell me if", "Turn off the lights.", "Well")
        for probability in (0.1, 0.3)
    ]
    found = fit(half(samples, Half.TEST))
    assert found["sound"] > 0
    assert found["unfinished"] < 0 < found["question"]
    assert found["doubtful"] == 0.0


def test_the_tables_show_every_endpointing() -> None:
    speech = (*spoken("Ask not", 0.01), *spoken("Ask not what you can do.", 0.9, start_s=2.6, end_s=4.0))
    samples = [
        sample(Kind.COMPLETE, spoken("What time is it?", 0.9)),
        sample(Kind.COMPLETE, spoken("Why is the sky blue?", 0.9), Half.BENCH),
        sample(Kind.JOINED, paused("I need flour.", 0.9)),
        sample(Kind.CUT, paused("Could you tell me if", 0.1)),
        sample(Kind.SPEECH, speech),
    ]
    parts, report = tables(samples, (Half.TEST, Half.BENCH))
    console = Console(file=io.StringIO(), width=100)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert set(report) == set(ENDPOINTINGS)
    for name in ENDPOINTINGS:
        assert sum(line.startswith(name) for line in lines) == len(parts)
    assert any(line.split() == ["semantic,", "medium", "50", "100", "100", "100", "0", "0", "0", "0"] for line in lines)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real() -> list[list[Sample]]:
    """A sentence with a pause, made twice and heard by the real stages."""
    sentence = Sentence(Half.TEST, "en", "I would like a glass of water and", " the menu, please.")
    async with Synthesiser(Settings(engine="hibari", port=0)) as synthesiser, stages(workers=1) as both:
        twice = [await synthesiser.clips(sentence, 0) for _ in range(2)]
        return [[(clip, await both.hear(clip)) for clip in clips] for clips in twice]


def test_real_stages_hear_what_a_real_voice_says_up_to_the_pause(real: list[list[Sample]]) -> None:
    assert [clip.kind for clip, _ in real[0]] == [Kind.JOINED, Kind.CUT]
    for clip, (*_, stop, resumed) in real[0]:
        assert isinstance(stop, Stopped)
        assert isinstance(resumed, Started)
        assert "water" in stop.text
        assert "menu" not in stop.text
        assert stop.probability is not None
        assert abs(stop.offset - clip.audible_end) < 0.3 * SECOND
        assert abs(resumed.offset - clip.resumed) < 0.3 * SECOND


def test_every_run_hears_the_same(real: list[list[Sample]]) -> None:
    for (clip, heard), (again, heard_again) in zip(*real, strict=True):
        assert np.array_equal(clip.samples, again.samples)
        assert heard == heard_again
