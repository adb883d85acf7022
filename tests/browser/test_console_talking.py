"""Talking with the console in Chromium: a WAV is the microphone, the stages say what the script says."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.console_page import ConsolePage, Turn, write_microphone
from tests.browser.sounds import TONE_HZ, tone
from tests.support import scripted
from tests.support.browser import Microphone, browser_tab
from tests.support.edge import scripted_edge
from tests.support.scripted import Script

Talking = Callable[..., AbstractAsyncContextManager[ConsolePage]]

LONG = "The sea is wide and deep, and blue where the sky is blue, and grey where the sky is grey, and never still."
_APPENDED = """
  globalThis.appended = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    const event = JSON.parse(data);
    if (event.type === "input_audio_buffer.append") globalThis.appended.push(event.audio);
    return send.call(this, data);
  };
"""


@pytest.fixture
def talking(tmp_path: Path) -> Talking:
    """The console with a microphone that hears these parts, in front of a script."""
    files = (tmp_path / f"microphone{number}.wav" for number in itertools.count())

    @asynccontextmanager
    async def open_console(script: Script, *heard: bytes | float, **settings: Any) -> AsyncIterator[ConsolePage]:
        wav = await asyncio.to_thread(write_microphone, next(files), heard)
        async with (
            scripted_edge(script, **settings) as address,
            browser_tab(microphone=Microphone(wav)) as tab,
        ):
            console = ConsolePage(tab)
            await console.page.add_init_script(_APPENDED)
            await console.open(address)
            yield console

    return open_console


async def test_what_is_said_and_what_is_answered_stand_on_the_page_and_are_heard(talking: Talking) -> None:
    script = Script(texts=["What time is it?"], replies=["It is noon. The sun is high."])
    async with talking(script, 0.6, tone(1.0), 30.0) as console:
        await console.talk.click()
        await console.state("Hearing you")
        await console.page.locator(".turn.user.live .unstable").wait_for()
        await console.replied()
        await console.state("Listening")
        assert await console.turns() == [
            Turn("user", "What time is it?", ""),
            Turn("assistant", "It is noon. The sun is high.", ""),
        ]
        assert await console.page.locator(".turn.user .language").inner_text() == "English"
        await console.page.wait_for_function("() => document.querySelectorAll('.waterfall .bar').length >= 6")
        # 28 characters of 20 ms each, to the sample.
        assert await console.client("client.loudspeaker.progress.total") == 28 * 480
        assert await console.client("client.loudspeaker.progress.underruns") <= 2
        figure = int(await console.page.locator(".figure .number").inner_text())
        assert 100 < figure < 20_000


async def test_the_microphone_is_sent_at_24_khz_as_it_was(talking: Talking) -> None:
    async with talking(Script(), tone(20.0)) as console:
        await console.talk.click()
        await console.page.wait_for_function("() => globalThis.appended.length >= 120")
        blocks = await console.page.evaluate("globalThis.appended")
    pcm = [base64.b64decode(block) for block in blocks]
    assert {len(block) for block in pcm} == {960}
    # The first second may still be swallowed or faded in by the browser's own processing.
    samples = np.frombuffer(b"".join(pcm[60:]), "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peak = int(spectrum.argmax())
    assert peak * 24_000 / len(samples) == pytest.approx(TONE_HZ, abs=2 * 24_000 / len(samples))


async def test_words_that_an_interruption_kept_from_being_heard_are_struck(talking: Talking) -> None:
    script = Script(texts=["Tell me of the sea.", "What is the time?"], replies=[LONG, "It is noon."])
    script.ms_per_character = 60
    async with talking(script, 0.6, tone(0.8), 3.0, tone(1.0), 30.0) as console:
        await console.talk.click()
        await console.replied(2)
        turns = await console.turns()
        assert [turn.role for turn in turns] == ["user", "assistant", "user", "assistant"]
        cut = turns[1]
        said = f"{cut.text.strip()} {cut.cut.strip()}".strip()
        assert cut.text.strip()
        assert LONG.startswith(said)
        assert len(said) < len(LONG)
        reply = console.page.locator(".turn.reply").first
        assert await reply.get_attribute("data-status") == "cancelled"
        assert await reply.locator(".interrupted").inner_text() == "Interrupted"
        assert "not part of the conversation" in await reply.locator(".explain").inner_text()
        # What the page says was heard is what the language model is shown.
        history = [message.text for message in script.chats[-1].history]
        assert cut.text.strip() in history
        # The loudspeaker was told to stop, and the server where it had come to stand.
        position = (await console.sent("voxfleet.playout.position"))[-1]
        assert position["audio_ms"] > 0


async def test_a_listener_s_sound_holds_the_reply_and_lets_it_go_on(talking: Talking) -> None:
    script = Script(texts=["Tell me of the sea.", "mm-hm"], replies=[LONG])
    script.ms_per_character = 60
    async with talking(script, 0.6, tone(0.8), 3.0, tone(0.5), 30.0) as console:
        await console.talk.click()
        await console.state("Paused")
        await console.state("Speaking")
        await console.replied()
        assert await console.turns() == [Turn("user", "Tell me of the sea.", ""), Turn("assistant", LONG, "")]
        await console.state("Listening")
        assert await console.client("client.loudspeaker.progress.total") == len(LONG) * 60 * 24


async def test_push_to_talk_listens_while_space_is_held(talking: Talking) -> None:
    async with talking(Script(), tone(60.0)) as console:
        await console.page.locator("#tab-settings").click()
        await console.page.get_by_text("Push to talk", exact=True).click()
        await console.page.locator("#conversation").focus()
        await console.page.keyboard.down(" ")
        await console.state("Hearing you")
        await console.page.wait_for_function("() => globalThis.appended.length >= 25")
        await console.page.keyboard.up(" ")
        await console.until_sent("input_audio_buffer.commit")
        await console.replied()
        assert [turn.role for turn in await console.turns()] == ["user", "assistant"]
        update = (await console.sent("session.update"))[-1]
        assert update["session"]["audio"]["input"]["turn_detection"] is None
        before = await console.page.evaluate("globalThis.appended.length")
        await console.state("Microphone off")
        assert await console.page.evaluate("globalThis.appended.length") == before


async def test_a_lost_connection_is_made_again_and_the_conversation_goes_on(talking: Talking) -> None:
    script = Script(replies=["It is noon.", "It is still noon."])
    async with talking(script, 60.0) as console:
        await console.page.evaluate(
            "() => { globalThis.sockets = []; const Real = WebSocket;"
            " globalThis.WebSocket = class extends Real {"
            "   constructor(...all) { super(...all); globalThis.sockets.push(this); } }; }"
        )
        await console.say("What is the time?")
        await console.replied()
        await console.page.evaluate("globalThis.sockets[0].close(4000)")
        await console.page.wait_for_function("() => globalThis.sockets.length === 2")
        await console.state("Microphone off")
        await console.say("And now?")
        await console.replied(2)
        assert [turn.text for turn in await console.turns()] == [
            "What is the time?",
            "It is noon.",
            "And now?",
            "It is still noon.",
        ]
        # The new session was told what the old one knew.
        assert [message.text for message in script.chats[-1].history][:2] == ["What is the time?", "It is noon."]


async def test_over_webrtc_it_is_the_same_conversation(talking: Talking, monkeypatch: pytest.MonkeyPatch) -> None:
    # Opus lets no constant pass, which is what scripted voices are.
    monkeypatch.setattr(scripted, "speech", lambda seconds, rate=16_000: tone(seconds, rate))
    script = Script(texts=["Tell me of the sea.", "What is the time?"], replies=[LONG, "It is noon."])
    script.ms_per_character = 60
    async with talking(script, 1.0, tone(0.8), 3.5, tone(1.0), 30.0) as console:
        await console.page.locator("#tab-settings").click()
        await console.page.get_by_text("WebRTC", exact=True).click()
        await console.talk.click()
        await console.state("Speaking")
        await console.until_client("client.loudspeaker.progress.rms > 0.01")
        await console.replied(2)
        turns = await console.turns()
        assert [turn.role for turn in turns] == ["user", "assistant", "user", "assistant"]
        assert LONG.startswith(turns[1].text.strip())
        assert turns[3] == Turn("assistant", "It is noon.", "")
        assert await console.page.evaluate("globalThis.appended.length") == 0
        await console.client("client.close()")
        await console.until_client("(await (await fetch('/console/fleet')).json()).sessions.open === 0")
