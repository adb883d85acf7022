"""Broken requests on each HTTP route: every answer is one, errors say why, and nothing is left behind."""

import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.services.orchestrator.edge.fuzz import seeds
from tests.services.orchestrator.edge.fuzz.messages import MESSAGES, Frame, damaged, frames
from tests.services.orchestrator.edge.fuzz.standing_edge import StandingEdge, standing_edge

_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class Route:
    """A route that takes a JSON body like `seeds`."""

    path: str
    seeds: list[dict[str, Any]]


ROUTES = [
    Route("/v1/chat/completions", seeds.CHAT),
    Route("/v1/audio/speech", seeds.SPEECH),
    Route("/v1/realtime/client_secrets", seeds.SECRET),
    Route("/v1/realtime/sessions", seeds.BETA_SECRET),
]


@pytest.fixture(scope="module")
def edge() -> Iterator[StandingEdge]:
    with standing_edge() as standing:
        yield standing


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_request_is_answered_with_a_reason(edge: StandingEdge, route: Route) -> None:
    @given(st.lists(frames(route.seeds), min_size=_AT_ONCE, max_size=_AT_ONCE))
    @_settings
    def play(bodies: list[Frame]) -> None:
        edge.runner.run(_post(edge.address, route.path, bodies))

    play()


def test_every_upload_is_answered_with_a_reason(edge: StandingEdge) -> None:
    files = st.one_of(
        st.binary(max_size=200),
        st.tuples(st.integers(0, 2_000), st.integers(0, 60), st.binary(min_size=1, max_size=4)).map(_damaged_wav),
    )
    upload = st.tuples(st.sampled_from(["file", "file", "file", "data"]), files, damaged(seeds.TRANSCRIPTION))

    @given(st.lists(upload, min_size=_AT_ONCE, max_size=_AT_ONCE))
    @_settings
    def play(uploads: list[tuple[str, bytes, Any]]) -> None:
        edge.runner.run(_upload(edge.address, uploads))

    play()


_settings = settings(
    max_examples=MESSAGES // _AT_ONCE,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=True,
    database=None,
)


def _damaged_wav(damage: tuple[int, int, bytes]) -> bytes:
    samples, at, junk = damage
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"\x10\x27" * samples)
    data = bytearray(buffer.getvalue())
    data[at : at + len(junk)] = junk
    return bytes(data)


async def _post(address: str, path: str, bodies: list[Frame]) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client:
        for body in bodies:
            content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
            _check(await client.post(path, content=content, headers={"Content-Type": "application/json"}))


async def _upload(address: str, uploads: list[tuple[str, bytes, Any]]) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client:
        for name, data, fields in uploads:
            form = {key: value if isinstance(value, str) else repr(value) for key, value in fields.items()}
            _check(await client.post("/v1/audio/transcriptions", data=form, files={name: ("a.wav", data, "audio/wav")}))


def _check(response: httpx.Response) -> None:
    if response.status_code < 400:
        return
    error = response.json()["error"]
    assert error["message"], response.text
    assert response.status_code < 500, response.text
