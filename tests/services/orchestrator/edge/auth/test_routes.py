"""Client secrets over a real server: asked for, told, and used to open the session that they describe."""

import asyncio
import base64
import logging
import time
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, AuthenticationError
from openai.types.beta.realtime import SessionCreateResponse
from openai.types.realtime import ClientSecretCreateResponse
from websockets.asyncio.client import connect

from chassis import g711
from services.orchestrator.edge.auth import routes
from tests.support.edge import Client, scripted_edge
from tests.support.scripted import Script, silence, speech

KEY = "sk-0123456789abcdef"
PATH = "/v1/realtime/client_secrets"
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "Speak like a pirate.",
    "output_modalities": ["text"],
    "max_output_tokens": 50,
    "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}],
    "audio": {
        "input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}},
        "output": {"voice": "anna"},
    },
}


def asking(address: str, key: str | None = None) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=f"http://{address}", headers=headers)


async def created(address: str, path: str, secret: str) -> dict[str, Any]:
    """The first event of a session that a secret opens."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with connect(f"ws://{address}{path}", additional_headers=headers) as socket:
        first = await Client(socket).next()
    assert isinstance(first, dict)
    return first


async def test_a_secret_opens_the_session_it_was_issued_for() -> None:
    script = Script()
    async with scripted_edge(script, api_keys=KEY) as address, asking(address, KEY) as http:
        before = time.time()
        expires_after = {"anchor": "created_at", "seconds": 60}
        answer = await http.post(PATH, json={"expires_after": expires_after, "session": SESSION})
        assert answer.status_code == 200
        told = answer.json()
        ClientSecretCreateResponse.model_validate(told, strict=True)
        assert told["value"].startswith("ek_")
        assert before + 59 <= told["expires_at"] <= time.time() + 60
        assert told["session"]["instructions"] == "Speak like a pirate."
        headers = {"Authorization": f"Bearer {told['value']}"}
        async with connect(f"ws://{address}/v1/realtime", additional_headers=headers) as socket:
            client = Client(socket)
            session = (await client.until("session.created"))["session"]
            for field in ("instructions", "model", "output_modalities", "max_output_tokens", "tools", "audio"):
                assert session[field] == told["session"][field], field
            assert session["model"] == "gpt-realtime"
            assert session["audio"]["output"]["voice"] == "anna"
            await client.speak_base64(0.4, 0.6)
            await client.until("response.done")
    assert script.chats[0].instructions == "Speak like a pirate."
    assert script.chats[0].tools[0].name == "weather"


async def test_a_secret_opens_sessions_of_the_other_protocols_too() -> None:
    script = Script()
    async with scripted_edge(script, api_keys=KEY) as address, asking(address, KEY) as http:
        value = (await http.post(PATH, json={"session": SESSION})).json()["value"]
        beta = await created(address, "/ws/voice", value)
        assert beta["session"]["instructions"] == "Speak like a pirate."
        assert beta["session"]["voice"] == "anna"
        headers = {"Authorization": f"Bearer {value}"}
        async with connect(f"ws://{address}/realtime", additional_headers=headers) as socket:
            await Client(socket).send(type="text", text="hello")
            async with asyncio.timeout(10):
                while not script.chats:  # noqa: ASYNC110  # the scripted stages have no event for it
                    await asyncio.sleep(0.01)
    assert script.chats[0].instructions == "Speak like a pirate."


async def test_the_address_names_another_model_than_the_secret() -> None:
    async with scripted_edge(Script()) as address, asking(address) as http:
        value = (await http.post(PATH, json={"session": SESSION})).json()["value"]
        assert (await created(address, "/v1/realtime?model=mine", value))["session"]["model"] == "mine"
        assert (await created(address, "/v1/realtime?extensions=voxfleet", value))["session"]["model"] == "gpt-realtime"


async def test_an_empty_request_is_one_for_the_defaults() -> None:
    async with scripted_edge(Script(), instructions="Be brief.") as address, asking(address) as http:
        for body in (b"", b"{}"):
            told = (await http.post(PATH, content=body)).json()
            assert abs(told["expires_at"] - time.time() - 600) < 5
            assert told["session"]["instructions"] == "Be brief."
            assert (await created(address, "/v1/realtime", told["value"]))["session"]["instructions"] == "Be brief."


async def test_the_longest_lifetime_is_the_servers_to_say() -> None:
    async with scripted_edge(Script(), client_secret_max_ttl_s=60) as address, asking(address) as http:
        assert abs((await http.post(PATH)).json()["expires_at"] - time.time() - 60) < 5
        refused = await http.post(PATH, json={"expires_after": {"anchor": "created_at", "seconds": 61}})
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "expires_after.seconds"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"seconds": 9}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": 7201}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "now", "seconds": 60}}, "expires_after.anchor"),
        ({"session": {"type": "realtime", "instructons": "x"}}, "session.instructons"),
        ({"session": {"instructions": "x"}}, "session.type"),
        ({"session": {"type": "realtime", "audio": {"output": {"voice": "nobody"}}}}, "session.audio.output.voice"),
        (
            {"session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/opus"}}}}},
            "session.audio.input.format.type",
        ),
        ({"secret": 1}, "secret"),
        ([], None),
        ("text", None),
    ],
)
async def test_a_wrong_request_is_told_which_field_is_wrong(body: object, param: str | None) -> None:
    async with scripted_edge(Script()) as address, asking(address) as http:
        answer = await http.post(PATH, json=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        assert error["message"].startswith(param or "expected one JSON object")


async def test_what_is_no_json_or_too_much_of_it_is_refused() -> None:
    async with scripted_edge(Script()) as address, asking(address) as http:
        assert (await http.post(PATH, content=b"{")).json()["error"]["code"] == "invalid_json"
        large = await http.post(PATH, content=b" " * (routes.MAX_BODY_BYTES + 1))
        assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")
        prompt = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(20_000))
        full = await http.post(PATH, json={"session": {"type": "realtime", "instructions": prompt}})
        assert (full.status_code, full.json()["error"]["param"]) == (400, "session")


async def test_a_secret_carries_formats_and_that_no_transcripts_are_wanted() -> None:
    telephone = {"type": "audio/pcmu"}
    audio = {"input": {"format": telephone, "transcription": None}, "output": {"format": {"type": "audio/pcma"}}}
    async with scripted_edge(Script()) as address, asking(address) as http:
        told = (await http.post(PATH, json={"session": {"type": "realtime", "audio": audio}})).json()
        begun = (await created(address, "/v1/realtime", told["value"]))["session"]
        for session in (told["session"], begun):
            assert (session["audio"]["input"]["format"], session["audio"]["input"]["transcription"]) == (
                telephone,
                None,
            )
            assert session["audio"]["output"]["format"] == {"type": "audio/pcma"}
        headers = {"Authorization": f"Bearer {told['value']}"}
        async with connect(f"ws://{address}/v1/realtime", additional_headers=headers) as connection:
            client = Client(connection)
            for pcm in (speech(0.5, 8_000), silence(0.7, 8_000)):
                append = base64.b64encode(g711.encode(pcm, g711.Law.MU)).decode()
                await client.send(type="input_audio_buffer.append", audio=append)
            done = await client.until("response.done")
            assert done["response"]["audio"]["output"]["format"] == {"type": "audio/pcma"}
            assert not [kind for kind in client.kinds if "transcription" in kind]


async def test_a_body_that_does_not_come_is_given_up() -> None:
    async with scripted_edge(Script(), session_idle_timeout_s=0.2) as address:
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 9\r\n\r\n{{".encode())
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_the_beta_has_the_secret_inside_its_session() -> None:
    async with scripted_edge(Script(), api_keys=KEY) as address, asking(address, KEY) as http:
        wish = {"model": "gpt-4o-realtime-preview", "voice": "anna", "modalities": ["text"], "instructions": "Sing."}
        answer = await http.post("/v1/realtime/sessions", json=wish)
        assert answer.status_code == 200
        told = answer.json()
        SessionCreateResponse.model_validate(told)
        assert (told["voice"], told["instructions"]) == ("anna", "Sing.")
        assert abs(told["client_secret"]["expires_at"] - time.time() - 600) < 5
        session = (await created(address, "/ws/voice", told["client_secret"]["value"]))["session"]
        assert (session["voice"], session["instructions"], session["modalities"]) == ("anna", "Sing.", ["text"])
        refused = await http.post("/v1/realtime/sessions", json=wish | {"audio": {}})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "session.audio")
        short = {"expires_after": {"anchor": "created_at", "seconds": 1}}
        refused = await http.post("/v1/realtime/sessions", json=wish | {"client_secret": short})
        assert refused.json()["error"]["param"] == "client_secret.expires_after.seconds"


async def test_replicas_that_share_a_signing_key_open_each_others_secrets() -> None:
    async with (
        scripted_edge(Script(), secret_key="s" * 32) as one,
        scripted_edge(Script(), secret_key="s" * 32, api_keys=KEY) as two,
        asking(one) as http,
    ):
        value = (await http.post(PATH, json={"session": SESSION})).json()["value"]
        assert (await created(two, "/v1/realtime", value))["session"]["instructions"] == "Speak like a pirate."


async def test_a_process_that_shares_no_key_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    routes._warn_of_the_key.cache_clear()
    with caplog.at_level(logging.WARNING, routes.__name__):
        async with scripted_edge(Script(), api_keys=KEY) as address, asking(address, KEY) as http:
            await http.post(PATH)
        assert caplog.messages == []
        async with scripted_edge(Script()) as address, asking(address) as http:
            await http.post(PATH)
            await http.post(PATH)
    assert len(caplog.messages) == 1
    assert "VOXFLEET_ORCHESTRATOR_SECRET_KEY" in caplog.messages[0]


async def test_openais_client_asks_for_a_secret_and_another_connects_with_it() -> None:
    async with scripted_edge(Script(), api_keys=KEY) as address:

        def client_with(key: str) -> AsyncOpenAI:
            base = f"{address}/v1"
            return AsyncOpenAI(api_key=key, base_url=f"http://{base}", websocket_base_url=f"ws://{base}", max_retries=0)

        # Made in threads, because a client reads certificates from files.
        server_side = await asyncio.to_thread(client_with, KEY)
        issued = await server_side.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 120},
            session={
                "type": "realtime",
                "instructions": "Speak like a pirate.",
                "audio": {"output": {"voice": "anna"}},
            },
        )
        assert issued.value.startswith("ek_")
        browser_side = await asyncio.to_thread(client_with, issued.value)
        async with browser_side.realtime.connect(model="gpt-realtime") as connection:
            first = await connection.recv()
            assert first.type == "session.created"
            assert first.session.type == "realtime"
            assert first.session.instructions == "Speak like a pirate."
        stranger = await asyncio.to_thread(client_with, "sk-somebody-elses-key")
        with pytest.raises(AuthenticationError, match="not one of this server's"):
            await stranger.realtime.client_secrets.create()
        for client in (server_side, browser_side, stranger):
            await client.close()
