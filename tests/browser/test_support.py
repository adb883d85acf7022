"""The browser that other tests use: its microphone, its refusal, and what it takes for a problem."""

import asyncio
import math
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.browser import Microphone, Tab, browser_tab
from tests.support.pages import serving_pages

_OPEN = "navigator.mediaDevices.getUserMedia({audio: true}).then(() => 'open', error => error.name)"
_PEAK = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const context = new AudioContext();
  await context.resume();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  for (;;) {
    analyser.getFloatTimeDomainData(samples);
    const peak = Math.max(...samples);
    if (peak > 0.1) return peak;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}"""


def tone(path: Path) -> Path:
    """Two seconds of a sine of half the full scale."""
    samples = 0.5 * np.sin(2 * math.pi * 440 * np.arange(32_000) / 16_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """A site with one page and a tone that it can hear."""
    tone(tmp_path / "tone.wav")
    (tmp_path / "index.html").write_text("<!doctype html><link rel=icon href='data:,'><button>go</button>")
    with serving_pages(tmp_path) as origin:
        yield origin


async def test_a_wav_is_what_the_microphone_hears(origin: str, tmp_path: Path) -> None:
    async with browser_tab(microphone=Microphone(tmp_path / "tone.wav")) as tab:
        await tab.page.goto(origin)
        await tab.page.get_by_role("button").click()
        assert await tab.page.evaluate(_PEAK) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("refused", "error"), [(True, "NotAllowedError"), (False, "NotFoundError")])
async def test_a_microphone_can_be_refused_or_missing(origin: str, refused: bool, error: str) -> None:
    async with browser_tab(refuse_microphone=refused) as tab:
        await tab.page.goto(origin)
        assert await tab.page.evaluate(_OPEN) == error


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("console.error('it broke')", "console: it broke"),
        ("setTimeout(() => { throw new Error('nobody caught it') })", "uncaught: Error: nobody caught it"),
        ("fetch('/missing')", "404 GET"),
        ("fetch('http://127.0.0.1:1/').catch(() => 0)", "failed: GET http://127.0.0.1:1/"),
    ],
)
async def test_what_goes_wrong_in_a_page_fails_its_test(origin: str, script: str, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        await _run(origin, script)


async def _run(origin: str, script: str) -> None:
    async with browser_tab() as tab:
        await tab.page.goto(origin)
        await tab.page.evaluate(f"() => {{ {script} }}")
        await _problem(tab)


async def _problem(tab: Tab) -> None:
    async with asyncio.timeout(10):
        while not tab.problems:  # noqa: ASYNC110 - nothing tells when there is one
            await asyncio.sleep(0.02)


async def test_problems_that_a_test_expects_do_not_fail_it(origin: str) -> None:
    async with browser_tab() as tab:
        tab.expect("404 GET .*/missing|Failed to load resource")
        await tab.page.goto(origin)
        assert await tab.page.evaluate("fetch('/missing').then(answer => answer.status)") == 404
        await _problem(tab)
