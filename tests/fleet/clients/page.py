"""A page in which somebody else's client talks with the fleet, and what the client tells of it."""

import asyncio
import base64
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.browser import Microphone, Tab, browser_tab

PATIENCE_S = 150.0
"""What a busy machine may take for one step."""
_MICROPHONE = (Path(__file__).parent / "microphone.js").read_text()

Told = dict[str, Any]


class ClientPage:
    """The page. Its scripts call `tell({type, …})`; what they tell is read here in order."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._unread: asyncio.Queue[Told] = asyncio.Queue()
        self._quiet = True

    async def evaluate(self, expression: str, *given: object) -> Any:
        """What a JavaScript expression gives."""
        return await self._tab.page.evaluate(expression, *given)

    async def start(self, **options: str) -> None:
        """Has the client connect."""
        async with asyncio.timeout(PATIENCE_S):
            await self.evaluate("options => start(options)", options)

    async def say(self, pcm: bytes) -> None:
        """The person says `pcm` (s16le 24 kHz mono) from now on."""
        await self.evaluate("audio => say(audio)", base64.b64encode(pcm).decode())

    async def until(self, kind: str) -> Told:
        """The next that is told of a type. An error of the client is one of the test."""
        others = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (event := await self._next())["type"] != kind:
                    others.append(event["type"])
        except TimeoutError as error:
            raise AssertionError(f"no {kind} within {PATIENCE_S:g} s, only {others}") from error
        return event

    async def until_quiet(self) -> None:
        """Waits until nothing has sounded for a while, from what was read last on."""
        if not self._quiet:
            await self.until("quiet")

    async def until_heard(self, ms: float) -> None:
        """Waits until so much of a reply has sounded."""
        while ms > 0:
            ms -= (await self.until("sound"))["ms"]

    async def _next(self) -> Told:
        event = await self._unread.get()
        assert event["type"] != "error", event
        if event["type"] in ("sound", "quiet"):
            self._quiet = event["type"] == "quiet"
        return event

    async def take_audio(self) -> bytes:
        """What has sounded since the last call, PCM s16le 24 kHz mono."""
        return base64.b64decode(await self.evaluate("takeAudio()"))


@asynccontextmanager
async def client_page(url: str, *, room: Path | None = None) -> AsyncIterator[ClientPage]:
    """Opens a page. `room`: a WAV file of what its microphone hears around the person; None: it has no microphone."""
    async with browser_tab(microphone=None if room is None else Microphone(room, repeat=True)) as tab:
        page = ClientPage(tab)
        await tab.page.expose_function("tell", page._unread.put_nowait)
        if room is not None:
            await tab.page.add_init_script(_MICROPHONE)
        await tab.page.goto(url)
        yield page


def silent_room(path: Path) -> Path:
    """A WAV file of a second of silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(bytes(96_000))
    return path
