"""Sessions through a relay to another edge, whose stages are scripted: as if they were with that edge."""

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from voxfleet.llm.v1 import llm_pb2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from chassis import metrics
from tests.services.orchestrator.edge.relay.proxy import proxied
from tests.services.orchestrator.edge.relay.relays import FAR_KEY, PATH, relayed_edge, relaying, to
from tests.support.edge import Client, connected, scripted_edge
from tests.support.fleets import eventually
from tests.support.metrics import value_of
from tests.support.realtime import Peer, scripted_server
from tests.support.scripted import Script, speech

KEY = "sk-0123456789abcdef"
BEARER = {"Authorization": f"Bearer {KEY}"}


async def two_turns(client: Client, delta: str) -> None:
    for _ in range(2):
        told = len(client.told)
        await client.speak_base64(0.5, 0.8)
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        assert delta in client.kinds[told:]


async def test_two_turns_of_the_current_generation() -> None:
    script = Script(texts=["what time is it", "thank you"], replies=["It is noon.", "You are welcome."])
    turns = value_of(metrics.RELAY_TURNS, "_total", relay="far", outcome="completed")
    answers = value_of(metrics.RELAY_VOICE_TO_VOICE, "_count", relay="far")
    ended = value_of(metrics.SESSIONS, "_total", outcome="closed")
    async with relayed_edge(script) as near, connected(near, PATH) as client:
        assert value_of(metrics.SESSIONS_ACTIVE) == 2  # one here, one with the far edge in the same process
        await two_turns(client, "response.output_audio.delta")
        assert client.kinds.count("session.created") == 1
    assert script.asked == ["what time is it", "thank you"]
    assert [message.text for message in script.chats[-1].history][:2] == ["what time is it", "It is noon."]
    assert value_of(metrics.RELAY_TURNS, "_total", relay="far", outcome="completed") == turns + 2
    assert value_of(metrics.RELAY_VOICE_TO_VOICE, "_count", relay="far") == answers + 2
    assert value_of(metrics.SESSIONS, "_total", outcome="closed") > ended
    assert value_of(metrics.SESSIONS_ACTIVE) == 0


@pytest.mark.parametrize("how", ["header", "subprotocol", "path"])
async def test_two_turns_of_the_older_generation(how: str) -> None:
    path = PATH.replace("/v1/realtime", "/ws/voice") if how == "path" else PATH
    options: dict[str, Any] = {}
    if how == "header":
        options["additional_headers"] = {"OpenAI-Beta": "realtime=v1"}
    elif how == "subprotocol":
        options["subprotocols"] = [Subprotocol("realtime"), Subprotocol("openai-beta.realtime-v1")]
    async with relayed_edge(Script()) as near, connect(f"ws://{near}{path}", **options) as connection:
        client = Client(connection)
        created = await client.until("session.created")
        assert created["session"]["modalities"] == ["text", "audio"]
        await client.until("conversation.created")
        await two_turns(client, "response.audio.delta")


async def test_events_go_through_as_they_were_written() -> None:
    odd = '{ "type":"x.y" ,"event_id":"e","text":"\\u00fc \u00fc",  "n":1.0}'
    heard: list[Any] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        heard.append(await peer.connection.recv())
        await peer.connection.send(odd)
        heard.append(await peer.connection.recv())

    async with scripted_server(script) as url, relaying(url) as near, connect(f"ws://{near}{PATH}") as socket:
        greeting = await socket.recv()
        assert (
            greeting == '{"type": "session.created", "event_id": "e", "session": {"id": "sess_1", "type": "realtime"}}'
        )
        await socket.send(odd)
        assert await socket.recv() == odd
        await socket.send("this is no JSON")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert heard == [odd, "this is no JSON"]


async def test_a_tool_is_called_through_the_relay_and_its_result_comes_back() -> None:
    script = Script(replies=["", "It is sunny."])
    script.calls.append(llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city":"Paris"}'))
    async with relayed_edge(script) as near, connected(near, PATH) as client:
        tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
        await client.send(type="session.update", session={"type": "realtime", "tools": [tool]})
        await client.until("session.updated")
        await client.send(type="response.create")
        call = await client.until("response.function_call_arguments.done")
        assert json.loads(call["arguments"]) == {"city": "Paris"}
        await client.until("response.done")
        script.calls.clear()
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        await client.send(type="conversation.item.create", item=output)
        await client.send(type="response.create", response={"output_modalities": ["text"]})
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["text"] == "It is sunny."


async def test_openais_own_client_needs_another_address_only() -> None:
    async with relayed_edge(Script(), api_keys=KEY) as near:

        def new_client() -> AsyncOpenAI:
            client = AsyncOpenAI(api_key=KEY, websocket_base_url=f"ws://{near}/v1")
            assert client.default_headers
            return client

        # In a thread, because a client reads certificates from files and asks the system's commands for its name.
        openai = await asyncio.to_thread(new_client)
        async with openai.realtime.connect(model="far") as connection:
            await connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
            audio = base64.b64encode(speech(0.5, 24_000) + bytes(48_000)).decode()
            await connection.input_audio_buffer.append(audio=audio)
            transcript, pcm = "", b""
            async for event in connection:
                if event.type == "session.updated":
                    assert event.session.type == "realtime"
                    assert event.session.instructions == "Be brief."
                elif event.type == "response.output_audio_transcript.delta":
                    transcript += event.delta
                elif event.type == "response.output_audio.delta":
                    pcm += base64.b64decode(event.delta)
                elif event.type == "response.done":
                    break
        await openai.close()
        assert transcript == "It is noon. The sun is high."
        assert len(pcm) > 24_000


# -- keys --------------------------------------------------------------------------------------------------------------


async def test_the_upstream_is_shown_the_servers_key_and_never_the_clients() -> None:
    shown: list[tuple[str, list[tuple[str, str]]]] = []

    async def script(peer: Peer) -> None:
        assert peer.connection.request is not None
        shown.append((peer.path, list(peer.connection.request.headers.raw_items())))
        await peer.greet()

    more = {"key": FAR_KEY, "model": "m", "headers": {"X-Tenant": "blue"}}
    offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{KEY}")]
    async with scripted_server(script) as url, relaying(url, upstream=more, api_keys=KEY) as near:
        for options in ({"additional_headers": BEARER}, {"subprotocols": offered}):
            async with connect(f"ws://{near}{PATH}&extensions=voxfleet", **options) as socket:
                assert json.loads(await socket.recv())["type"] == "session.created"
    for path, headers in shown:
        assert path == "/v1/realtime?model=m&extensions=voxfleet"
        assert KEY not in str(headers)
        assert ("Authorization", f"Bearer {FAR_KEY}") in headers
        assert ("X-Tenant", "blue") in headers
        assert "openai-beta" not in (name.lower() for name, _ in headers)
    assert len(shown) == 2


async def test_no_log_holds_a_key_or_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with (
        relayed_edge(Script(texts=["hush now"]), api_keys=KEY) as near,
        connect(f"ws://{near}{PATH}", additional_headers=BEARER) as socket,
    ):
        client = Client(socket)
        await client.speak_base64(0.5, 0.8)
        await client.until("response.done")
    # What the far edge's server library and the test's own client log is not the relay's.
    logged = [record for record in caplog.records if not record.name.startswith("uvicorn")]
    assert FAR_KEY not in str([record.getMessage() for record in logged])
    own = str([record.getMessage() for record in logged if record.name.startswith("services.")])
    assert own
    assert KEY not in own
    assert "hush now" not in own


async def test_a_client_without_a_key_of_this_server_never_reaches_the_upstream() -> None:
    async def script(peer: Peer) -> None:
        raise AssertionError("somebody came through")

    async with scripted_server(script) as url, relaying(url, api_keys=KEY) as near:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}", additional_headers={"Authorization": f"Bearer {FAR_KEY}"})
        assert refusal.value.response.status_code == 401


async def secret(near: str, session: dict[str, Any]) -> str:
    async with httpx.AsyncClient(base_url=f"http://{near}") as http:
        issued = await http.post("/v1/realtime/client_secrets", json={"session": session}, headers=BEARER)
        assert issued.status_code == 200, issued.text
        value: str = issued.json()["value"]
        return value


@pytest.mark.parametrize("beta", [False, True])
async def test_a_client_secret_brings_its_session_to_the_upstream(beta: bool) -> None:
    script = Script()
    detection = {"type": "server_vad", "silence_duration_ms": 300}
    wish = {
        "type": "realtime",
        "model": "far",
        "instructions": "Speak like a pirate.",
        "output_modalities": ["audio"],
        "max_output_tokens": 50,
        "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}],
        "tool_choice": "none",
        "audio": {"input": {"turn_detection": detection}, "output": {"voice": "marin"}},
    }
    async with relayed_edge(script, api_keys=KEY) as near:
        headers = {"Authorization": f"Bearer {await secret(near, wish)}"} | (
            {"OpenAI-Beta": "realtime=v1"} if beta else {}
        )
        async with connect(f"ws://{near}/v1/realtime", additional_headers=headers) as connection:
            client = Client(connection)
            session = (await client.until("session.created"))["session"]
            assert session["instructions"] == "Speak like a pirate."
            told = session if beta else session["audio"]["input"]
            assert told["turn_detection"]["silence_duration_ms"] == 300
            await two_turns(client, "response.audio.delta" if beta else "response.output_audio.delta")
            assert "session.updated" not in client.kinds
    asked = script.chats[0]
    assert (asked.instructions, asked.max_output_tokens) == ("Speak like a pirate.", 50)
    assert [tool.name for tool in asked.tools] == ["weather"]


@pytest.mark.parametrize("wish", [{"type": "realtime"}, {"type": "realtime", "model": "voxfleet"}])
async def test_a_client_secret_for_the_fleet_does_not_spend_the_servers_key_elsewhere(wish: dict[str, Any]) -> None:
    async def script(peer: Peer) -> None:
        raise AssertionError("somebody came through")

    async with scripted_server(script) as url, relaying(url, api_keys=KEY) as near:
        headers = {"Authorization": f"Bearer {await secret(near, wish)}"}
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}", additional_headers=headers)
        assert refusal.value.response.status_code == 403
        assert b"client_secret_not_allowed" in bytes(refusal.value.response.body)


async def test_a_session_that_the_upstream_refuses_is_refused_before_the_socket_opens() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        assert (await peer.receive())["type"] == "session.update"
        error = {"type": "invalid_request_error", "code": "invalid_value", "param": "session.voice", "message": "no"}
        await peer.send("error", error=error)

    async with scripted_server(script) as url, relaying(url, api_keys=KEY) as near:
        headers = {"Authorization": f"Bearer {await secret(near, {'type': 'realtime', 'model': 'far'})}"}
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}/v1/realtime", additional_headers=headers)
        assert refusal.value.response.status_code == 502
        assert b"invalid_value, session.voice" in bytes(refusal.value.response.body)


async def test_a_wrong_key_for_the_upstream_is_the_servers_fault_and_is_not_shown() -> None:
    before = value_of(metrics.RELAY_ERRORS, "_total", relay="far", reason="refused")
    async with (
        scripted_edge(Script(), api_keys=FAR_KEY) as far,
        relaying(f"ws://{far}/v1/realtime", upstream={"key": "sk-wrong-wrong-wrong"}) as near,
    ):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}")
    response = refusal.value.response
    assert (response.status_code, response.headers.get("Retry-After")) == (502, None)
    error = json.loads(bytes(response.body))["error"]
    assert (error["code"], error["type"]) == ("upstream_refused", "server_error")
    assert error["message"] == "the upstream of far answered HTTP 401"
    assert value_of(metrics.RELAY_ERRORS, "_total", relay="far", reason="refused") == before + 1


async def test_what_an_upstream_says_of_the_servers_key_is_not_told() -> None:
    async def script(peer: Peer) -> None:
        error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": f"Incorrect API key: {FAR_KEY}"}
        await peer.send("error", error=error)
        await peer.connection.close(3000)

    async with scripted_server(script) as url, relaying(url, upstream={"key": FAR_KEY}) as near:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}")
    body = bytes(refusal.value.response.body)
    assert b"invalid_api_key" in body
    assert FAR_KEY.encode() not in body


# -- limits ------------------------------------------------------------------------------------------------------------


async def test_relayed_sessions_count_among_all_sessions() -> None:
    async with relayed_edge(Script(), max_sessions=1) as near, connected(near, PATH) as client:
        await client.until("session.created")
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}")
        assert refusal.value.response.status_code == 503
        assert b"sessions_exhausted" in bytes(refusal.value.response.body)


async def test_a_session_leaves_no_task_behind() -> None:
    async with relayed_edge(Script()) as near:
        before = len(asyncio.all_tasks())
        for _ in range(3):
            async with connected(near, PATH) as client:
                await client.send(type="response.create")
                await client.until("response.output_audio.delta")
        await eventually(lambda: len(asyncio.all_tasks()) == before)


async def test_other_models_are_served_by_the_fleet_as_before() -> None:
    async with scripted_edge(Script(), relays=to("ws://127.0.0.1:9/v1/realtime")) as edge:
        for path in ("/v1/realtime", "/v1/realtime?model=gpt-realtime"):
            async with connected(edge, path) as client:
                await client.until("session.created")


async def test_the_list_of_models_has_the_relayed_ones() -> None:
    async with relaying("ws://127.0.0.1:9/v1/realtime") as near, httpx.AsyncClient(base_url=f"http://{near}") as http:
        listed = {model["id"]: model["owned_by"] for model in (await http.get("/v1/models")).json()["data"]}
        assert (listed["voxfleet"], listed["far"]) == ("voxfleet", "relay")
        assert (await http.get("/v1/models/far")).json()["id"] == "far"
        assert (await http.get("/v1/models/near")).status_code == 404


async def test_a_client_that_says_nothing_for_the_idle_limit_is_closed() -> None:
    async with relayed_edge(Script(), session_idle_timeout_s=0.3) as near, connected(near, PATH) as client:
        with pytest.raises(ConnectionClosed) as ended:
            await client.until("never")
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1008


@pytest.mark.parametrize(
    ("frame", "code"), [(b"\0\0", "invalid_frame"), ('"' + "x" * 5_000 + '"', "message_too_large")]
)
async def test_a_frame_that_is_none_of_the_protocols_is_an_error_and_the_session_lives(
    frame: str | bytes, code: str
) -> None:
    async with relayed_edge(Script(), max_message_bytes=4_096) as near, connected(near, PATH) as client:
        await client.socket.send(frame)
        assert (await client.until("error"))["error"]["code"] == code
        await client.send(type="input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")


async def test_a_client_that_does_not_read_is_let_go_and_the_upstream_with_it() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        try:
            while True:
                await peer.audio(bytes(100_000))
        except ConnectionClosed:
            gone.set()

    dropped = value_of(metrics.FRAMES_DROPPED, "_total", stage="orchestrator", reason="slow_client")
    async with (
        scripted_server(script) as url,
        relaying(url, relay_stall_s=0.3) as near,
        connect(f"ws://{near}{PATH}", max_queue=1, close_timeout=0.1),
        asyncio.timeout(10),
    ):
        await gone.wait()
    assert value_of(metrics.FRAMES_DROPPED, "_total", stage="orchestrator", reason="slow_client") == dropped + 1


# -- loops -------------------------------------------------------------------------------------------------------------


async def test_a_relay_to_itself_is_refused() -> None:
    async with proxied() as proxy, relaying(f"ws://{proxy.address}/v1/realtime") as near:
        proxy.target = near
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}/v1/realtime?model=far")
        assert refusal.value.response.status_code == 502
        assert b"answered HTTP 508" in bytes(refusal.value.response.body)
        assert proxy.accepted == 1
