"""The JavaScript client in somebody else's page: the example of the docs, as it stands there."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.console_page import write_microphone
from tests.browser.sounds import tone
from tests.support.browser import Microphone, browser_tab
from tests.support.edge import scripted_edge
from tests.support.pages import serving_pages
from tests.support.scripted import Script

DOCS = (Path(__file__).parents[2] / "docs" / "console.md").read_text()
[EXAMPLE] = re.findall(r"```html\n(.*?)```", DOCS, re.DOTALL)
HEAD = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """A site of the test's own."""
    with serving_pages(tmp_path) as origin:
        yield origin


async def test_the_docs_example_holds_a_conversation_from_another_origin(origin: str, tmp_path: Path) -> None:
    script = Script(texts=["What time is it?"], replies=["It is noon. The sun is high."])
    wav = await asyncio.to_thread(write_microphone, tmp_path / "microphone.wav", (0.6, tone(1.0), 30.0))
    async with (
        scripted_edge(script, allowed_origins=(origin,)) as address,
        browser_tab(microphone=Microphone(wav)) as tab,
    ):
        page = HEAD + EXAMPLE.replace("localhost:8000", address)
        await asyncio.to_thread((tmp_path / "index.html").write_text, page)
        await tab.page.goto(f"{origin}/")
        await tab.page.locator("#talk").click()
        await tab.page.locator("#you", has_text="What time is it?").wait_for()
        await tab.page.locator("#reply", has_text="It is noon. The sun is high.").wait_for()
        assert await tab.page.locator("#talk").inner_text() == "open"
    assert script.chats[-1].instructions == "Answer in one sentence."
