"""The machine's own Chromium, driven by Playwright: a page per test, and whatever went wrong in it fails the test.

    async with browser_tab(microphone=Microphone(wav)) as tab:
        await tab.page.goto(f"http://{address}/")
        await tab.page.get_by_role("button", name="Talk").click()

A machine without Chromium skips the test and says so.
"""

import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import ConsoleMessage, Error, Page, Request, Response, ViewportSize, async_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""Where Chromium is looked for on the PATH, in this order."""
CHROMIUM = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
"""The path of Chromium; None where the machine has none."""

ColorScheme = Literal["light", "dark"]

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A busy machine must not slow down the timers and the audio of a page that it takes for hidden.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    # Servers under test are on this machine, and often it has no other network.
    "--allow-loopback-in-peer-connection",
)


@dataclass(frozen=True, slots=True)
class Microphone:
    """What the page's microphone hears."""

    wav: Path
    """Integer PCM, 16 bits, any rate. It begins when the page opens the microphone, anew each time it does."""
    repeat: bool = False
    """Whether it begins again at its end; else silence follows."""


@dataclass(slots=True)
class Tab:
    """One page in a browser of its own, and what went wrong in it."""

    page: Page
    problems: list[str] = field(default_factory=list)
    """Errors on the console, exceptions that nobody caught, and requests that failed or were answered 4xx or 5xx."""
    console: list[str] = field(default_factory=list)
    """Every line on the console, as `level: text`."""
    _expected: list[re.Pattern[str]] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Says that problems which contain `pattern` (a regular expression) belong to the test."""
        self._expected.append(re.compile(pattern))

    @property
    def unexpected(self) -> list[str]:
        """The problems that the test has not named."""
        return [text for text in self.problems if not any(pattern.search(text) for pattern in self._expected)]

    def _watch(self) -> None:
        self.page.on("console", lambda message: self._on_console(message))
        self.page.on("pageerror", lambda error: self._on_error(error))
        self.page.on("requestfailed", lambda request: self._on_failed(request))
        self.page.on("response", lambda response: self._on_response(response))

    def _on_console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")
        if message.type in ("error", "assert"):
            self.problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _on_error(self, error: Error) -> None:
        self.problems.append(f"uncaught: {error.stack or error.message}")

    def _on_response(self, response: Response) -> None:
        if response.status >= HTTPStatus.BAD_REQUEST:
            self.problems.append(f"{response.status} {response.request.method} {response.url}")

    def _on_failed(self, request: Request) -> None:
        self.problems.append(f"failed: {request.method} {request.url}: {request.failure}")


def required_chromium() -> str:
    """The path of Chromium; skips the test where there is none."""
    if CHROMIUM is None:
        pytest.skip(f"no Chromium on the PATH ({', '.join(PROGRAMS)})")
    return CHROMIUM


@asynccontextmanager
async def browser_tab(
    *,
    microphone: Microphone | None = None,
    refuse_microphone: bool = False,
    color_scheme: ColorScheme = "light",
    viewport: tuple[int, int] = (1280, 800),
    scale: float = 1.0,
    language: str = "en-US",
    reduced_motion: bool = False,
    flags: Sequence[str] = (),
) -> AsyncIterator[Tab]:
    """A page of a headless Chromium of its own, with a fresh profile.

    `microphone`: what `getUserMedia` captures; it is granted without a question. None: the machine has no microphone
    (`NotFoundError`). `refuse_microphone`: there is one, and the person says no (`NotAllowedError`). `viewport` is in
    CSS pixels, `scale` device pixels for each of them (2 for sharp screenshots). `flags` are more of Chromium's.

    On leaving, fails with AssertionError where the page had problems that `Tab.expect` does not name; where the test
    failed already, the problems are added to its error as a note. The page keeps Chromium's autoplay policy: sound
    starts with a click.
    """
    program = required_chromium()
    arguments = [*_FLAGS, *_microphone_flags(microphone, refuse_microphone), *flags]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, headless=True, args=arguments)
        try:
            context = await browser.new_context(
                color_scheme=color_scheme,
                viewport=ViewportSize(width=viewport[0], height=viewport[1]),
                device_scale_factor=scale,
                locale=language,
                reduced_motion="reduce" if reduced_motion else "no-preference",
                permissions=["microphone"] if microphone is not None and not refuse_microphone else [],
            )
            tab = Tab(await context.new_page())
            tab._watch()
            try:
                yield tab
            except Exception as failure:
                if tab.unexpected:
                    failure.add_note("the page had problems:\n" + "\n".join(tab.unexpected))
                raise
        finally:
            await browser.close()
    assert not tab.unexpected, "the page had problems:\n" + "\n".join(tab.unexpected)


def _microphone_flags(microphone: Microphone | None, refused: bool) -> list[str]:
    flags = ["--use-fake-device-for-media-stream"] if microphone is not None or refused else []
    if refused:
        return flags
    if microphone is not None:
        source = f"{microphone.wav}{'' if microphone.repeat else '%noloop'}"
        flags += ["--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={source}"]
    return flags
