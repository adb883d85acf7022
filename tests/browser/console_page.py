"""The console as tests see it: what stands on the page, and what its client knows."""

import asyncio
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page

from tests.support.browser import Tab

RATE = 24_000
PATIENCE_S = 20.0
"""How long anything may take that a busy machine does; nothing here is measured."""

# Only what is asked for is read: the module is the page's own, so its state is that of the page.
_CLIENT = "const {voxfleet} = await import('/console/app/main.js'); const client = voxfleet.client;"
_SENT = """
  const send = WebSocket.prototype.send;
  globalThis.sentEvents = [];
  WebSocket.prototype.send = function (data) {
    const event = JSON.parse(data);
    if (event.type !== "input_audio_buffer.append") globalThis.sentEvents.push(event);
    return send.call(this, data);
  };
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry of the conversation: who, what stands there, and what of it is struck."""

    role: str
    text: str
    cut: str


@dataclass(slots=True)
class ConsolePage:
    """The page in a tab."""

    tab: Tab
    patience_s: float = PATIENCE_S

    @property
    def page(self) -> Page:
        """Playwright's page."""
        return self.tab.page

    async def open(self, address: str) -> None:
        """Loads the console; what the page sends over its WebSocket is kept from the first event on."""
        self.page.set_default_timeout(self.patience_s * 1000)
        await self.page.add_init_script(_SENT)
        await self.page.goto(f"http://{address}/")

    @property
    def talk(self) -> Locator:
        """The big button."""
        return self.page.locator("#talk")

    def notice(self, words: str) -> Locator:
        """A notice that has these words in it."""
        return self.page.locator(".notice", has_text=words)

    async def state(self, *labels: str) -> str:
        """Waits until the state is one of `labels`; tells which."""
        script = "labels => labels.includes(document.getElementById('state').textContent)"
        await self.page.wait_for_function(script, arg=list(labels))
        return await self.page.locator("#state").inner_text()

    async def speak(self, wav: Path, pcm: bytes) -> None:
        """Says something now: `wav`, which is the browser's microphone, is written anew and the microphone opened anew.

        When it is said is then for the test to decide, however busy the machine is.
        """
        await asyncio.to_thread(write_microphone, wav, (0.3, pcm, 60.0))
        if await self.talk.get_attribute("aria-pressed") == "true":
            await self.talk.click()
        await self.talk.click()

    async def say(self, text: str) -> None:
        """Types a message and sends it."""
        await self.page.locator("#message").fill(text)
        await self.page.locator("#message").press("Enter")

    async def replied(self, count: int = 1) -> None:
        """Waits until `count` replies are over."""
        over = ".turn.reply:not([data-status=speaking])"
        await self.page.wait_for_function(f"count => document.querySelectorAll('{over}').length >= count", arg=count)

    async def turns(self) -> list[Turn]:
        """The conversation as it stands on the page."""
        script = """items => items.map(item => ({
          role: item.classList.contains("user") ? "user" : "assistant",
          text: [...item.querySelectorAll(".stable, .unstable, .heard, .coming")].map(e => e.textContent).join(""),
          cut: item.querySelector(".cut")?.textContent ?? "",
        }))"""
        return [Turn(**turn) for turn in await self.page.locator(".turn").evaluate_all(script)]

    async def client(self, expression: str) -> Any:
        """What an expression about the page's `client` gives."""
        return await self.page.evaluate(f"async () => {{ {_CLIENT} return {expression}; }}")

    async def until_client(self, expression: str) -> None:
        """Waits until an expression about the page's `client` holds. It may await."""
        async with asyncio.timeout(self.patience_s):
            while not await self.client(expression):  # noqa: ASYNC110 - nothing tells when it does
                await asyncio.sleep(0.05)

    async def sent(self, kind: str) -> list[dict[str, Any]]:
        """The client events of a type that the page has sent so far."""
        events: list[dict[str, Any]] = await self.page.evaluate("globalThis.sentEvents")
        return [event for event in events if event["type"] == kind]

    async def until_sent(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Waits until `count` client events of a type were sent; gives the last of them."""
        script = "([kind, count]) => globalThis.sentEvents.filter(event => event.type === kind).length >= count"
        await self.page.wait_for_function(script, arg=[kind, count])
        return (await self.sent(kind))[-1]


def write_microphone(path: Path, parts: Sequence[bytes | float]) -> Path:
    """A WAV of PCM s16le 24 kHz mono: speech as it is, and numbers as seconds of silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for part in parts:
            file.writeframes(part if isinstance(part, bytes) else bytes(2 * round(part * RATE)))
    return path
