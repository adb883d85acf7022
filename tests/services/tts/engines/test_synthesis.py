"""The way from pieces of text to speech, with a scripted voice: one phoneme a character, 100 ms each."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio

from chassis.workers import Workers
from services.tts.engines.base import Speech
from services.tts.engines.synthesis import Limits, SynthesisSession, Utterance
from services.tts.g2p.base import Segment

RATE = 24_000
SOUND = 2400  # samples a letter
LEAD = 4800  # silence that the voice begins and ends with


class Voice:
    """Hums each segment that is not punctuation. `spoken` lists what was said, `gate` holds it up while cleared."""

    sample_rate_hz = RATE

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.started = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, segments: Sequence[Segment]) -> Utterance:
        self.started.set()
        assert self.gate.wait(10)
        self.spoken.append("".join(segment.phonemes for segment in segments))
        hum = 0.3 * np.sin(2 * np.pi * 200 * np.arange(SOUND) / RATE)
        parts = [np.zeros(LEAD)]
        parts += [np.zeros(SOUND) if segment.is_pause else hum for segment in segments]
        samples = np.concatenate([*parts, np.zeros(LEAD)]).astype(np.float32)
        return Utterance(samples, [SOUND] * len(segments), LEAD)


def letters(text: str) -> list[Segment]:
    return [Segment(char if char.isalpha() or char in " ,." else "", number) for number, char in enumerate(text, 1)]


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[Workers]:
    pool = Workers("tts", threads=1)
    yield pool
    await pool.close()


def session(workers: Workers, voice: Voice, speed: float = 1.0) -> SynthesisSession:
    return SynthesisSession(workers, letters, voice, Limits(unit=40, first_unit=40, phonemes=40), speed)


async def said(session: SynthesisSession, *pieces: str) -> list[Speech]:
    return [speech for piece in pieces async for speech in session.speak(piece)]


def covers(speech: Sequence[Speech], text: str) -> bool:
    joined = all(before.text_end == after.text_start for before, after in itertools.pairwise(speech))
    return joined and speech[0].text_start == 0 and speech[-1].text_end == len(text)


def silent_ms(speech: Speech) -> float:
    assert not any(speech.pcm)
    return len(speech.pcm) / 2 / RATE * 1000


async def test_the_first_audio_begins_with_sound(workers: Workers) -> None:
    speech = await said(session(workers, Voice()), "ab")
    samples = np.frombuffer(speech[0].pcm, "<i2")
    # 10 ms of lead-in are kept of the 200 ms of silence.
    assert np.flatnonzero(np.abs(samples) > 300)[0] < 12 * RATE // 1000


@pytest.mark.parametrize(("first", "pause_ms"), [("ab. ", 250), ("ab, ", 100), ("ab ", 20)])
async def test_the_pause_between_pieces_follows_the_mark(workers: Workers, first: str, pause_ms: int) -> None:
    speech = await said(session(workers, Voice()), first, "cd")
    pauses = [each for each in speech if each.pcm and not any(each.pcm)]
    assert [(silent_ms(each), each.text_start, each.text_end) for each in pauses] == [
        (pause_ms, len(first), len(first))
    ]


async def test_a_slower_voice_makes_longer_pauses(workers: Workers) -> None:
    speech = await said(session(workers, Voice(), speed=0.5), "ab. ", "cd")
    assert [silent_ms(each) for each in speech if each.pcm and not any(each.pcm)] == [500]


async def test_nothing_follows_the_last_word_but_its_tail(workers: Workers) -> None:
    speech = await said(session(workers, Voice()), "ab.")
    total = sum(len(each.pcm) for each in speech) / 2
    assert total <= 2 * SOUND + 60 * RATE // 1000


async def test_text_that_nobody_says_makes_no_sound_but_is_covered(workers: Workers) -> None:
    voice = Voice()
    assert await said(session(workers, voice), "😀!", " --") == [Speech(b"", 0, 2), Speech(b"", 2, 5)]
    assert voice.spoken == []


async def test_offsets_count_all_text_of_the_stream(workers: Workers) -> None:
    pieces = ["😀 ab. ", "…", "Cd ef, gh. ", "🎉"]
    speech = await said(session(workers, Voice()), *pieces)
    assert covers(speech, "".join(pieces))
    assert speech[-1] == Speech(b"", 18, 19)


async def test_a_new_stream_goes_before_the_later_units_of_others(workers: Workers) -> None:
    old, new = Voice(), Voice()
    old_session = session(workers, old)
    await said(old_session, "aa.")
    blocker = Voice()
    blocker.gate.clear()
    new.spoken = old.spoken  # one list, in order of speaking
    async with asyncio.TaskGroup() as group:
        group.create_task(said(session(workers, blocker), "xx."))
        await asyncio.to_thread(blocker.started.wait)
        group.create_task(said(old_session, "bb."))
        await asyncio.sleep(0)
        group.create_task(said(session(workers, new), "cc."))
        await asyncio.sleep(0)
        blocker.gate.set()
    assert old.spoken == ["aa.", "cc.", "bb."]


async def test_a_stream_that_is_left_speaks_no_further(workers: Workers) -> None:
    voice = Voice()
    async with aclosing(session(workers, voice).speak("aa. Bb. Cc. Dd.")) as speech:
        await anext(speech)
    await workers.run("idle", lambda: None, priority=9)
    assert voice.spoken == ["aa. "]
