"""The console in Chromium, spoken with: a WAV is its microphone, the real fleet answers."""

import asyncio
from pathlib import Path

import pytest

from client.sound.speech import synthesise
from tests.browser.console_page import ConsolePage, write_microphone
from tests.fleet.conftest import Fleet
from tests.support.browser import Microphone, browser_tab

pytestmark = pytest.mark.fleet

PATIENCE_S = 120.0


async def test_a_spoken_conversation_with_an_interruption(fleet: Fleet, tmp_path: Path) -> None:
    story, capital = [
        await synthesise(text, language="en", target=fleet.target("tts"))
        for text in ("Tell me a long story about the sea.", "Wait. What is the capital of France?")
    ]
    wav = await asyncio.to_thread(write_microphone, tmp_path / "microphone.wav", (1.0,))
    async with browser_tab(microphone=Microphone(wav)) as tab:
        console = ConsolePage(tab, PATIENCE_S)
        await console.open(fleet.address)
        await console.speak(wav, story)
        await console.page.locator(".turn.user .stable", has_text="sea").wait_for()
        await console.state("Speaking")
        # A second and a half of it have been heard, and they were not silent.
        await console.until_client("client.loudspeaker.progress.total > 36000")
        await console.until_client("client.loudspeaker.progress.rms > 0.01")
        await console.speak(wav, capital)
        await console.replied(2)
        turns = await console.turns()
        assert [turn.role for turn in turns] == ["user", "assistant", "user", "assistant"]
        assert "sea" in turns[0].text
        assert "capital" in turns[2].text
        assert "Paris" in turns[3].text
        interrupted = console.page.locator(".turn.reply").first
        assert await interrupted.get_attribute("data-status") == "cancelled"
        assert await interrupted.locator(".interrupted").count() == 1
        # The conversation holds what the page says was heard.
        item_id = await interrupted.get_attribute("data-id")
        heard = await console.client(
            "new Promise(done => {"
            " client.on('conversation.item.retrieved', ({item}) => done(item.content[0].transcript));"
            f" client.send('conversation.item.retrieve', {{item_id: '{item_id}'}}); }})"
        )
        assert heard.strip() == turns[1].text.strip()
        await console.state("Listening")
        # All that came of the second reply was played, and its turn was measured to the ear.
        progress = await console.client("client.loudspeaker.progress")
        assert progress["waiting"] == 0
        assert progress["dropped"] == 0
        assert await console.page.locator(".waterfall .bar[data-mark=heard]").count() == 1
