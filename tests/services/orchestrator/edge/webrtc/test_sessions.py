"""What opens a call, what it begins with, and what does not fit into it."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from aiortc import RTCSessionDescription
from websockets.exceptions import InvalidStatus

from tests.services.orchestrator.edge.single.clients import new_openai_client
from tests.services.orchestrator.edge.webrtc.caller import calling, lifted, offer, post
from tests.support.edge import connected, scripted_edge
from tests.support.fleets import eventually
from tests.support.scripted import Script

KEYS = {"api_keys": "k" * 32}
BEARER = {"Authorization": f"Bearer {'k' * 32}"}


async def test_a_form_brings_the_session_that_begins() -> None:
    session = {"type": "realtime", "model": "mine", "instructions": "Be kind.", "audio": {"output": {"voice": "anna"}}}
    async with scripted_edge(Script()) as address, calling(address, session=session) as caller:
        created = (await caller.until("session.created"))["session"]
        assert (created["model"], created["instructions"]) == ("mine", "Be kind.")
        assert created["audio"]["output"]["voice"] == "anna"
        assert "session.updated" not in caller.kinds


async def test_openai_python_opens_a_call_and_hangs_it_up() -> None:
    async with (
        scripted_edge(Script()) as address,
        lifted() as caller,
        await asyncio.to_thread(new_openai_client, address) as client,
    ):
        session: Any = {"type": "realtime", "model": "mine", "instructions": "Be kind."}
        answer = await client.realtime.calls.create(sdp=await offer(caller), session=session)
        await caller.connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        created = (await caller.until("session.created"))["session"]
        assert (created["model"], created["instructions"]) == ("mine", "Be kind.")
        await client.realtime.calls.hangup(answer.response.headers["location"].rpartition("/")[2])
        await eventually(lambda: caller.connection.connectionState == "closed")


async def test_a_client_secret_opens_a_call_with_its_session() -> None:
    async with scripted_edge(Script(), **KEYS) as address:
        async with httpx.AsyncClient(base_url=f"http://{address}") as http:
            wish = {"session": {"type": "realtime", "model": "mine", "instructions": "Be brief."}}
            secret = (await http.post("/v1/realtime/client_secrets", json=wish, headers=BEARER)).json()["value"]
        held = {"Authorization": f"Bearer {secret}"}
        async with calling(address, headers=held) as caller:
            created = (await caller.until("session.created"))["session"]
            assert (created["model"], created["instructions"]) == ("mine", "Be brief.")
            refused = await post(address, "", f"/v1/realtime/calls/{caller.call_id}/hangup", headers=held)
            assert refused.status_code == 403


async def test_without_a_key_there_is_no_call() -> None:
    async with scripted_edge(Script(), **KEYS) as address, lifted() as caller:
        refused = await post(address, await offer(caller))
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "missing_api_key"


@pytest.mark.parametrize(
    ("path", "headers"), [("/v1/realtime", {}), ("/v1/realtime/calls", {"OpenAI-Beta": "realtime=v1"})]
)
async def test_the_beta_has_its_own_names(path: str, headers: dict[str, str]) -> None:
    async with scripted_edge(Script()) as address, calling(address, path, headers=headers) as caller:
        assert "input_audio_format" in (await caller.until("session.created"))["session"]
        caller.send(type="response.create")
        await caller.until("output_audio_buffer.started")
        await caller.until("response.audio_transcript.done")
        await caller.until("output_audio_buffer.stopped")


async def test_a_call_counts_among_the_sessions() -> None:
    async with scripted_edge(Script(), max_sessions=1) as address:
        async with calling(address) as caller, lifted() as other:
            await caller.until("session.created")
            refused = await post(address, await offer(other))
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "sessions_exhausted"
            assert refused.headers["retry-after"]
        # The place is free once the connection is closed, a little after the session.
        async with AsyncExitStack() as stack, asyncio.timeout(10):
            client = None
            while client is None:
                try:
                    client = await stack.enter_async_context(connected(address, "/v1/realtime"))
                except InvalidStatus:
                    await asyncio.sleep(0.05)
            await client.until("session.created")


async def test_a_relayed_model_is_refused() -> None:
    relays = {"far": {"url": "ws://127.0.0.1:9/v1/realtime"}}
    async with scripted_edge(Script(), relays=relays) as address, lifted() as caller:
        refused = await post(address, await offer(caller), "/v1/realtime/calls?model=far")
        error = refused.json()["error"]
        assert (refused.status_code, error["param"]) == (400, "model")


async def test_audio_by_events_is_refused_where_there_is_a_track() -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.send(type="input_audio_buffer.append", audio="AAAA", event_id="mine")
        error = (await caller.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("audio_by_track", "mine")


async def test_a_peer_without_a_microphone_may_send_audio_by_events() -> None:
    async with scripted_edge(Script()) as address, calling(address, microphone=False) as caller:
        await caller.until("session.created")
        caller.send(type="input_audio_buffer.append", audio="AAAAAAAA")
        await caller.hear_whole_reply()
        assert "error" not in caller.kinds


@pytest.mark.parametrize("bad", ["{", "[]", '{"type":"nothing"}'])
async def test_a_bad_event_is_an_error_and_the_call_goes_on(bad: str) -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.send_raw(bad)
        await caller.until("error")
        caller.send_raw(b'{"type":"input_audio_buffer.clear"}')
        await caller.until("input_audio_buffer.cleared")


async def test_a_clear_with_a_field_too_many_is_an_error_that_names_it() -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.send(type="output_audio_buffer.clear", event_id="mine", all=True)
        error = (await caller.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("unknown_parameter", "all", "mine")


async def test_an_event_larger_than_the_channel_takes_is_told_as_an_error() -> None:
    def small(sdp: str) -> str:
        return sdp.replace("a=max-message-size:262144", "a=max-message-size:4096")

    async with scripted_edge(Script()) as address, calling(address, edit=small) as caller:
        await caller.until("session.created")
        content = [{"type": "input_text", "text": "x" * 8_000}]
        caller.send(type="conversation.item.create", item={"type": "message", "role": "user", "content": content})
        error = (await caller.until("error"))["error"]
        assert error["code"] == "event_too_large"
        assert "'conversation.item.added'" in error["message"]
        await caller.hear_whole_reply()
