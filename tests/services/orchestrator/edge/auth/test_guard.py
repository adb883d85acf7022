"""Every path of a real server, with and without keys, over HTTP and WebSocket."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from client.errors import RejectedError
from client.realtime import RealtimeClient
from services.orchestrator.edge.app import create_app
from services.orchestrator.edge.auth.access import PUBLIC_PATHS, PUBLIC_PREFIXES, SESSION_PATHS
from services.orchestrator.edge.auth.client_secrets import ClientSecrets
from services.orchestrator.edge.auth.keys import KeyRing
from services.orchestrator.settings import Settings
from tests.support.edge import scripted_edge
from tests.support.scripted import Script

KEY = "sk-0123456789abcdef"
PAGE = "https://app.example.com"
SECRETS = ClientSecrets(KeyRing([KEY]).material)


def secret(seconds: float = 600) -> str:
    return SECRETS.issue(b'{"type":"realtime"}', int(time.time() + seconds))


def paths(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every route of the edge: its path, parameters filled in, and a method or WEBSOCKET."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from paths(included.routes)
            continue
        path = getattr(route, "path", "").replace("{", "").replace("}", "")
        if isinstance(route, WebSocketRoute):
            yield path, "WEBSOCKET"
        else:
            yield from ((path, method) for method in sorted(getattr(route, "methods", None) or ["GET"]))


async def status(address: str, path: str, method: str, key: str | None) -> tuple[int, httpx.Headers, bytes]:
    """Status, headers and body of one request; 101 for a WebSocket that was opened."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    if method == "WEBSOCKET":
        return await handshake(address, path, additional_headers=headers)
    async with httpx.AsyncClient(base_url=f"http://{address}") as http:
        response = await http.request(method, path, headers=headers)
        return response.status_code, response.headers, response.content


async def handshake(address: str, path: str, **options: Any) -> tuple[int, httpx.Headers, bytes]:
    try:
        async with connect(f"ws://{address}{path}", **options) as socket:
            assert socket.response is not None
            return 101, httpx.Headers(list(socket.response.headers.raw_items())), b""
    except InvalidStatus as refused:
        response = refused.response
        return response.status_code, httpx.Headers(list(response.headers.raw_items())), bytes(response.body or b"")


@pytest.fixture
async def closed() -> AsyncIterator[str]:
    """An edge that asks for a key."""
    async with scripted_edge(Script(), api_keys=KEY, allowed_origins=PAGE) as address:
        yield address


def test_the_walk_over_the_paths_sees_both_kinds() -> None:
    found = set(paths(create_app(Settings()).routes))
    assert ("/v1/realtime", "WEBSOCKET") in found
    assert ("/v1/realtime/client_secrets", "POST") in found
    assert ("/metrics", "GET") in found


async def test_every_path_but_the_public_ones_asks_for_a_key(closed: str) -> None:
    for path, method in paths(create_app(Settings()).routes):
        public = path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)
        for key in (None, "sk-wrong-wrong-wrong", secret(-1)):
            code, headers, body = await status(closed, path, method, key)
            if public:
                assert code not in (401, 403), (path, method)
                continue
            assert code == 401, (path, method, key)
            assert headers["www-authenticate"].startswith('Bearer realm="voxfleet"')
            if method != "HEAD":
                assert b'"type":"invalid_request_error"' in body


async def test_every_path_takes_the_right_key_and_only_sessions_a_client_secret(closed: str) -> None:
    for path, method in paths(create_app(Settings()).routes):
        code, *_ = await status(closed, path, method, KEY)
        assert code not in (401, 403), (path, method)
        code, *_ = await status(closed, path, method, secret())
        public = path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)
        assert (code in (401, 403)) is not (public or path in SESSION_PATHS), (path, method)


async def test_without_keys_every_path_is_open_to_programs() -> None:
    async with scripted_edge(Script()) as address:
        for path, method in paths(create_app(Settings()).routes):
            code, *_ = await status(address, path, method, None)
            assert code not in (401, 403), (path, method)


async def test_a_refusal_says_what_is_missing_before_the_socket_opens(closed: str) -> None:
    code, headers, body = await status(closed, "/v1/realtime", "WEBSOCKET", None)
    assert (code, headers["content-type"]) == (401, "application/json")
    assert b'"code":"missing_api_key"' in body
    code, headers, body = await status(closed, "/v1/realtime", "WEBSOCKET", secret(-1))
    assert headers["www-authenticate"].endswith('error="invalid_token"')
    assert b'"code":"expired_client_secret"' in body


async def test_a_key_in_the_address_is_no_key(closed: str) -> None:
    for name in ("api_key", "key", "access_token"):
        code, *_ = await status(closed, f"/v1/realtime?{name}={KEY}", "WEBSOCKET", None)
        assert code == 401


@pytest.mark.parametrize("path", ["/v1/realtime", "/realtime"])
@pytest.mark.parametrize("kind", ["API key", "client secret"])
async def test_a_browser_connects_with_its_key_among_the_subprotocols(closed: str, path: str, kind: str) -> None:
    key = KEY if kind == "API key" else secret()
    offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{key}")]
    code, headers, _ = await handshake(closed, path, subprotocols=offered, origin=Origin(PAGE))
    assert (code, headers["sec-websocket-protocol"]) == (101, "realtime")
    wrong = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{key}x")]
    code, *_ = await handshake(closed, path, subprotocols=wrong, origin=Origin(PAGE))
    assert code == 401


async def test_a_page_connects_from_the_servers_own_address_and_from_listed_ones_only(closed: str) -> None:
    bearer = {"Authorization": f"Bearer {KEY}"}
    for origin, expected in ((f"http://{closed}", 101), (PAGE, 101), ("http://evil.example", 403), ("null", 403)):
        code, _, body = await handshake(closed, "/realtime", additional_headers=bearer, origin=Origin(origin))
        assert code == expected, origin
        assert (b'"code":"origin_not_allowed"' in body) is (expected == 403)


async def test_without_keys_too_a_page_of_anybodys_is_refused() -> None:
    async with scripted_edge(Script()) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        for path in ("/v1/realtime", "/realtime"):
            code, *_ = await handshake(address, path, origin=Origin("http://evil.example"))
            assert code == 403
        evil = {"Origin": "http://evil.example"}
        assert (await http.post("/v1/realtime/client_secrets", headers=evil)).status_code == 403
        own = {"Origin": f"http://{address}"}
        assert (await http.post("/v1/realtime/client_secrets", headers=own)).status_code == 200


async def test_a_listed_page_may_ask_beforehand_and_read_the_answer_even_a_refusal(closed: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{closed}") as http:
        asks = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        answer = await http.options("/v1/realtime/client_secrets", headers=asks)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
        assert "authorization" in answer.headers["access-control-allow-headers"]
        refused = await http.post("/v1/realtime/client_secrets", headers={"Origin": PAGE})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)
        stranger = await http.options("/v1/realtime/client_secrets", headers=asks | {"Origin": "http://evil.example"})
        assert stranger.status_code == 400
        assert "access-control-allow-origin" not in stranger.headers


async def test_refusals_are_counted(closed: str) -> None:
    sample = 'voxfleet_auth_refused_total{code="missing_api_key"} '
    async with httpx.AsyncClient(base_url=f"http://{closed}") as http:

        async def count() -> float:
            lines = [line for line in (await http.get("/metrics")).text.splitlines() if line.startswith(sample)]
            return float(lines[0].removeprefix(sample)) if lines else 0.0

        before = await count()
        await http.get("/v1/models")
        assert await count() == before + 1


async def test_the_client_library_brings_its_key(closed: str) -> None:
    url = f"ws://{closed}/v1/realtime"
    async with RealtimeClient.connect(url, api_key=KEY) as client:
        assert client.session["type"] == "realtime"
    with pytest.raises(RejectedError, match=r"401.*missing_api_key|401.*expected an API key"):
        async with RealtimeClient.connect(url):
            pass
