"""Requests for a call that cannot be served: each is answered in OpenAI's shape and told the field at fault."""

from typing import Any

import httpx
import pytest

from tests.services.orchestrator.edge.webrtc.caller import lifted, offer, post
from tests.support.edge import scripted_edge
from tests.support.scripted import Script

SDP = {"Content-Type": "application/sdp"}


async def answered(address: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """The status and the error of a request for a call."""
    async with httpx.AsyncClient(base_url=f"http://{address}") as http:
        response = await http.post("/v1/realtime/calls", **options)
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error


async def test_bodies_that_are_no_offer_are_refused() -> None:
    cases: list[tuple[dict[str, Any], int, str | None, str]] = [
        ({"content": "hello", "headers": SDP}, 400, "sdp", "invalid_value"),
        ({"content": "", "headers": SDP}, 400, "sdp", "invalid_value"),
        ({"content": "v=0\r\nm=audio", "headers": SDP}, 400, "sdp", "invalid_value"),
        ({"content": b"v=0\xff", "headers": SDP}, 400, "sdp", "invalid_value"),
        ({"content": "v=0\r\n" + "a=x\r\n" * 20_000, "headers": SDP}, 413, "sdp", "request_too_large"),
        ({"content": b"x" * 400_000, "headers": SDP}, 413, None, "request_too_large"),
        ({"json": {"sdp": "v=0"}}, 400, "content-type", "invalid_content_type"),
        ({"content": "v=0"}, 400, "content-type", "invalid_content_type"),
        ({"files": {"session": (None, "{}")}}, 400, "sdp", "missing_required_parameter"),
        ({"files": {"sdp": (None, "v=0"), "extra": (None, "")}}, 400, "extra", "unknown_parameter"),
        ({"files": {"sdp": (None, "v=0"), "session": (None, "{")}}, 400, "session", "invalid_json"),
        ({"files": {"sdp": (None, "v=0"), "session": (None, "[]")}}, 400, "session", "invalid_json"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, None, "invalid_form"),
    ]
    async with scripted_edge(Script()) as address:
        for options, status, param, code in cases:
            got, error = await answered(address, **options)
            assert (got, error["param"], error["code"]) == (status, param, code), options


@pytest.mark.parametrize(
    ("session", "param", "code"),
    [
        ({}, "session.type", "missing_required_parameter"),
        ({"type": "realtime", "voice": "anna"}, "session.voice", "unknown_parameter"),
        ({"type": "realtime", "audio": {"output": {"voice": "zoe"}}}, "session.audio.output.voice", "invalid_value"),
    ],
)
async def test_a_session_that_cannot_begin_so_is_refused(session: dict[str, Any], param: str, code: str) -> None:
    async with scripted_edge(Script()) as address, lifted() as caller:
        refused = await post(address, await offer(caller), session=session)
        error = refused.json()["error"]
        assert (refused.status_code, error["param"], error["code"]) == (400, param, code)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("m=audio", "m=video"), "one audio section, got 0"),
        (("opus/48000/2", "speex/16000"), "Opus"),
        (("a=sendrecv", "a=sendonly"), "sendrecv or recvonly"),
        (("a=ice-pwd", "a=ice-past"), "a=ice-pwd"),
        (("a=fingerprint", "a=footprint"), "a=fingerprint"),
        (("a=rtcp-mux", "a=rtcp-max"), "a=rtcp-mux"),
        (("a=max-message-size:262144", "a=max-message-size:10"), "a=max-message-size"),
        (("m=application", "m=audio"), "an SDP offer"),
    ],
)
async def test_an_offer_that_lacks_something_is_told_what(edit: tuple[str, str], expected: str) -> None:
    async with scripted_edge(Script()) as address, lifted() as caller:
        refused = await post(address, (await offer(caller)).replace(*edit))
        error = refused.json()["error"]
        assert (refused.status_code, error["param"]) == (400, "sdp")
        assert expected in error["message"]


async def test_a_call_that_is_not_there_cannot_be_hung_up() -> None:
    async with scripted_edge(Script()) as address:
        refused = await post(address, "", "/v1/realtime/calls/rtc_1/hangup")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "call_not_found")
