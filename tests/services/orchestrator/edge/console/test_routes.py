"""The console's files over real HTTP: their types, their caching, what they may do, and who may have them."""

import re

import httpx
import pytest
from pydantic import SecretStr

from services.orchestrator.edge.console.routes import FILES, POLICY
from tests.support.edge import scripted_edge, serving_edge
from tests.support.scripted import Script, scripted_fleet


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/console/voxfleet.js", "text/javascript; charset=utf-8"),
        ("/console/worklets/playback.js", "text/javascript; charset=utf-8"),
        ("/console/css/base.css", "text/css; charset=utf-8"),
        ("/console/icon.svg", "image/svg+xml"),
        ("/console/fonts/inter.woff2", "font/woff2"),
    ],
)
async def test_every_file_says_what_it_is_and_is_asked_for_again(path: str, media_type: str) -> None:
    async with scripted_edge(Script()) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        first = await http.get(path)
        again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
        changed = await http.get(path, headers={"If-None-Match": '"another"'})
        head = await http.head(path)
    assert (first.status_code, first.headers["content-type"]) == (200, media_type)
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["content-security-policy"] == POLICY
    assert first.headers["x-content-type-options"] == "nosniff"
    assert (again.status_code, again.content) == (304, b"")
    assert changed.content == first.content
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])


@pytest.mark.parametrize("path", ["/console/", "/console/nothing.js", "/console/..%2froutes.py", "/console/css"])
async def test_what_is_no_file_of_the_console_is_not_served(path: str) -> None:
    async with scripted_edge(Script()) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        assert (await http.get(path)).status_code == 404


async def test_the_page_is_public_and_says_that_a_key_is_needed() -> None:
    async with (
        scripted_edge(Script(), auth="on", api_keys=(SecretStr("open-sesame-open-sesame"),)) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as http,
    ):
        assert (await http.get("/")).status_code == 200
        assert (await http.get("/console/app/main.js")).status_code == 200
        assert (await http.get("/console/fleet")).json()["key_needed"] is True
        assert (await http.get("/v1/models")).status_code == 401


async def test_a_page_is_told_of_the_fleet_before_it_opens_a_session() -> None:
    async with scripted_fleet(Script(), max_sessions=3) as settings:
        async with serving_edge(settings) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
            told = (await http.get("/console/fleet")).json()
        assert told["stages"] == dict.fromkeys(("vad", "stt", "llm", "tts"), "ready")
        assert told["voices"] == ["anna", "bert"]
        assert told["sessions"]["limit"] == 3
        assert told["key_needed"] is False
        broken = settings.model_copy(update={"tts_target": "127.0.0.1:1"})
        async with serving_edge(broken) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
            told = (await http.get("/console/fleet")).json()
        assert told["stages"]["tts"] == "unavailable"
        assert told["voices"] == []


def test_nothing_comes_from_another_host_and_nothing_is_written_into_the_page() -> None:
    for path, file in FILES.items():
        if path.endswith((".js", ".css", ".html")):
            text = file.body.decode()
            addresses = set(re.findall(r"https?://[^\s\"'`)]+", text))
            assert addresses <= {"http://www.w3.org/2000/svg", "https://"}, path
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path


def test_every_file_that_a_file_names_is_there() -> None:
    for path, file in FILES.items():
        if path.endswith(".js"):
            folder = path.rpartition("/")[0]
            for name in re.findall(r'(?:from|import) "(\.[^"]+)"', file.body.decode()):
                parts = f"{folder}/{name}".split("/")
                resolved: list[str] = []
                for part in parts:
                    if part == "..":
                        resolved.pop()
                    elif part not in ("", "."):
                        resolved.append(part)
                assert "/".join(resolved) in FILES, (path, name)
    page = FILES["index.html"].body.decode()
    for name in re.findall(r'(?:href|src)="/console/([^"]+)"', page):
        assert name in FILES, name
