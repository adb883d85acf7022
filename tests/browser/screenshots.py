"""The console's pictures in the docs, from real conversations: `python -m tests.browser.screenshots [FOLDER]`."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from client.fleet.local import local_fleet
from client.fleet.supervisor import Supervisor
from client.sound.speech import synthesise
from tests.browser.console_page import ConsolePage, write_microphone
from tests.support.browser import ColorScheme, Microphone, browser_tab

FOLDER = Path("docs/images")
DESKTOP, PHONE = (1280, 800), (390, 844)
PATIENCE_S = 120.0
READY_TIMEOUT_S = 180.0
VOICE = "am_michael"

QUESTIONS = (
    "What is the capital of France?",
    "Tell me a long story about the sea.",
    "Wait. How deep is the deepest ocean?",
)


@dataclass(frozen=True, slots=True)
class Shot:
    """Pictures of one conversation: their name, how the page looks, and what is pictured beside the conversation."""

    name: str
    scheme: ColorScheme
    viewport: tuple[int, int]
    more: tuple[Literal["empty", "latency", "settings"], ...] = ()


SHOTS = (
    Shot("console-light", "light", DESKTOP, ("empty",)),
    Shot("console-dark", "dark", DESKTOP, ("settings",)),
    Shot("console-phone-light", "light", PHONE),
    Shot("console-phone-dark", "dark", PHONE, ("latency",)),
)


async def take(address: str, shot: Shot, questions: Sequence[bytes], folder: Path, scratch: Path) -> None:
    """Holds the conversation and saves its pictures."""
    wav = await asyncio.to_thread(write_microphone, scratch / f"{shot.name}.wav", (1.0,))
    async with browser_tab(
        microphone=Microphone(wav), color_scheme=shot.scheme, viewport=shot.viewport, scale=1.5
    ) as tab:
        console = ConsolePage(tab, PATIENCE_S)
        await console.open(address)
        await console.page.locator("#fleet[data-state=ready]").wait_for()
        if "empty" in shot.more:
            await _save(console, folder / f"{shot.name}-empty.png")
        capital, story, wait = questions
        await console.speak(wav, capital)
        await console.replied()
        await console.state("Listening")
        await console.speak(wav, story)
        await console.state("Speaking")
        await asyncio.sleep(4.0)  # so that some of the story is told
        await console.speak(wav, wait)
        await console.replied(2)
        await console.state("Speaking")
        await asyncio.sleep(2.0)
        await _save(console, folder / f"{shot.name}.png")
        if shot.viewport == PHONE:
            await console.page.locator("#open-panel").click()
        for pane in ("latency", "settings"):
            if pane in shot.more:
                await console.page.locator(f"#tab-{pane}").click()
                await _save(console, folder / f"{shot.name}-{pane}.png")


async def _save(console: ConsolePage, path: Path) -> None:
    await console.page.evaluate("document.fonts.ready.then(() => new Promise(done => setTimeout(done, 250)))")
    await console.page.screenshot(path=path)
    print(path)


async def main(folder: Path) -> None:
    """All pictures, one after the other, with one fleet."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    plan = local_fleet(any_port=True)
    assert plan.url is not None
    address = plan.url.removeprefix("http://").replace("localhost", "127.0.0.1")
    tts = next(process for process in plan.processes if process.name == "tts").claims[0].target
    async with Supervisor(plan, log=lambda line: None) as supervisor:
        await supervisor.ready(READY_TIMEOUT_S)
        questions = [await synthesise(text, language="en", voice=VOICE, target=tts) for text in QUESTIONS]
        with tempfile.TemporaryDirectory() as scratch:
            for shot in SHOTS:
                await take(address, shot, questions, folder, Path(scratch))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
