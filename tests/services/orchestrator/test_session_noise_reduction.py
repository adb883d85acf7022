"""A session whose noise reduction is switched while somebody speaks; stages scripted."""

from dataclasses import replace

import numpy as np
import pytest

from services.orchestrator import events
from services.orchestrator.noise_reduction import NoiseReduction
from services.orchestrator.tape import Tape
from tests.services.orchestrator.conftest import Talk, talking
from tests.support.scripted import Script, silence, speech


def switch(talk: Talk, kind: NoiseReduction | None) -> None:
    talk.session.configure(replace(talk.session.config, noise_reduction=kind))


async def test_speech_that_stopped_while_it_was_switched_on_is_still_a_turn() -> None:
    async with talking(Script()) as talk:
        await talk.say(0.4)
        await talk.until(events.SpeechBegan)
        # The VAD's old stream has not said yet that the speech stopped, and the new one never hears it.
        switch(talk, NoiseReduction.NEAR_FIELD)
        await talk.say(0.0, then_silence=1.2)
        assert (await talk.until(events.ReplyDone)).cancelled is None
    assert len(talk.all(events.UserTurn)) == 1


async def test_speech_that_goes_on_while_it_is_switched_off_is_one_turn() -> None:
    async with talking(Script()) as talk:
        switch(talk, NoiseReduction.FAR_FIELD)
        switch(talk, None)
        await talk.say(0.3)
        await talk.until(events.SpeechBegan)
        switch(talk, None)
        await talk.say(0.3, then_silence=1.2)
        await talk.until(events.ReplyDone)
    assert len(talk.all(events.SpeechBegan)) == len(talk.all(events.UserTurn)) == 1


async def test_the_last_word_before_a_commit_reaches_speech_recognition(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bytes] = []
    read = Tape.read

    def listen(tape: Tape, start: int, end: int) -> bytes:
        pcm = read(tape, start, end)
        if tape is talk.session._tape:
            given.append(pcm)
        return pcm

    async with talking(Script()) as talk:
        config = talk.session.config
        talk.session.configure(
            replace(config, noise_reduction=NoiseReduction.NEAR_FIELD, turn=replace(config.turn, detection=False))
        )
        monkeypatch.setattr(Tape, "read", listen)
        # Not a millisecond comes after the last word.
        await talk.session.append_audio(silence(0.5) + speech(0.1))
        talk.session.commit_audio()
        await talk.until(events.UserTurn)
    last = np.frombuffer(given[-1], "<i2")
    assert np.all(last[-1_600:] == 8_000)
