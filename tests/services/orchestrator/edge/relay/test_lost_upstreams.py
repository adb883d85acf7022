"""Upstreams that refuse, hang, or go: what is repeated, what the client is told, and with what its socket is closed."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chassis import metrics
from services.orchestrator.edge.auth.client_secrets import ClientSecrets
from services.orchestrator.edge.auth.keys import KeyRing
from tests.services.orchestrator.edge.relay.proxy import proxied
from tests.services.orchestrator.edge.relay.relays import FAR_KEY, PATH, client_of, relaying
from tests.support.edge import Client, connected, scripted_edge
from tests.support.fleets import eventually
from tests.support.metrics import value_of
from tests.support.realtime import Peer, scripted_server
from tests.support.scripted import Script

SPEECH = base64.b64encode(bytes(960)).decode()
HOUR = timedelta(hours=1)
Act = Callable[[Peer], Awaitable[None]]


def errors(reason: str) -> float:
    return value_of(metrics.RELAY_ERRORS, "_total", relay="far", reason=reason)


def in_turn(*acts: Act) -> Act:
    """A script whose connections act one after the other; a further one is a failure."""
    waiting = list(acts)

    async def act(peer: Peer) -> None:
        await waiting.pop(0)(peer)

    return act


async def vanish(peer: Peer) -> None:
    """Goes without a word."""
    await peer.greet()
    peer.connection.transport.abort()


async def closing(client: Client) -> tuple[int, str]:
    """Close code and reason with which the client is left."""
    with pytest.raises(ConnectionClosed) as ended:
        await client.until("never")
    assert ended.value.rcvd is not None
    return ended.value.rcvd.code, ended.value.rcvd.reason


def errors_told(client: Client) -> list[str]:
    return [told["error"]["code"] for told in client.told if isinstance(told, dict) and told["type"] == "error"]


# -- before the client is accepted -------------------------------------------------------------------------------------


async def test_an_upstream_that_is_not_there_is_a_503_with_a_hint_when_to_retry() -> None:
    async with proxied() as proxy, relaying(f"ws://{proxy.address}/", relay_attempts=3) as near:
        proxy.refuses = True
        before = errors("unreachable")
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}")
        response = refusal.value.response
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert json.loads(bytes(response.body))["error"]["code"] == "upstream_unreachable"
        assert proxy.accepted == 3
        assert errors("unreachable") == before + 1


async def test_an_upstream_that_does_not_answer_is_waited_for_no_longer_than_the_limit() -> None:
    async def silent(peer: Peer) -> None:
        with pytest.raises(ConnectionClosed):
            await peer.receive()

    async with scripted_server(silent) as url, relaying(url, relay_timeout_s=0.4) as near:
        began = time.monotonic()
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}")
        assert refusal.value.response.status_code == 503
        assert 0.35 < time.monotonic() - began < 5


async def test_a_client_that_does_not_wait_gives_its_place_back_at_once() -> None:
    gone = asyncio.Event()

    async def silent(peer: Peer) -> None:
        with pytest.raises(ConnectionClosed):
            await peer.receive()
        gone.set()

    async with scripted_server(silent) as url, relaying(url, relay_timeout_s=60.0, max_sessions=1) as near:
        for _ in range(2):
            gone.clear()
            with pytest.raises(TimeoutError):
                await connect(f"ws://{near}{PATH}", open_timeout=0.2)
            async with asyncio.timeout(5):
                await gone.wait()


async def test_an_upstream_that_comes_back_in_time_is_found() -> None:
    async with scripted_edge(Script()) as far, proxied(far) as proxy:
        proxy.refuses = True
        async with relaying(f"ws://{proxy.address}/v1/realtime", relay_attempts=20, relay_timeout_s=10.0) as near:
            connecting = asyncio.create_task(connect(f"ws://{near}{PATH}").__aenter__())
            await eventually(lambda: proxy.accepted >= 2)
            proxy.refuses = False
            client = Client(await connecting)
            await client.until("session.created")
            await client.socket.close()


async def test_a_full_upstream_is_tried_again_and_a_wrong_address_is_not() -> None:
    async with scripted_edge(Script(), max_sessions=1) as far, proxied(far) as proxy:
        async with connected(far, "/v1/realtime"), relaying(f"ws://{proxy.address}/v1/realtime") as near:
            with pytest.raises(InvalidStatus) as refusal:
                await connect(f"ws://{near}{PATH}")
            assert refusal.value.response.status_code == 503
            assert proxy.accepted == 4
        proxy.accepted = 0
        async with relaying(f"ws://{proxy.address}/v2/realtime") as near:
            with pytest.raises(InvalidStatus) as refusal:
                await connect(f"ws://{near}{PATH}")
            assert refusal.value.response.status_code == 502
            assert proxy.accepted == 1


async def test_a_redirect_does_not_lead_the_key_elsewhere() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 Go\r\nLocation: ws://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    async with server, relaying(f"ws://{address[0]}:{address[1]}/", upstream={"headers": {"api-key": FAR_KEY}}) as near:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}")
        assert b"answered HTTP 307" in bytes(refusal.value.response.body)


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server needs that nobody has vouched for; its certificate is also in `folder`, as `certificate.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + HOUR)
    alternative = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    file = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_server_whose_certificate_nobody_vouches_for_is_not_shown_the_key(tmp_path: Path) -> None:
    heard = bytearray()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read())
        writer.close()

    tls = await asyncio.to_thread(self_signed, tmp_path)
    server = await asyncio.start_server(handler, "localhost", 0, ssl=tls)
    async with server, relaying(f"wss://localhost:{server.sockets[0].getsockname()[1]}/") as near:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{near}{PATH}")
        assert b"CERTIFICATE_VERIFY_FAILED" in bytes(refusal.value.response.body)
        assert refusal.value.response.status_code == 502
    assert not heard


async def test_a_server_whose_certificate_is_trusted_is_talked_to_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = await asyncio.to_thread(self_signed, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    async with serve(greet, "localhost", 0, ssl=tls) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with client_of(f"wss://localhost:{port}/", upstream={"key": FAR_KEY}) as client:
            await client.until("session.created")
        # The name in the certificate counts, too.
        async with relaying(f"wss://127.0.0.1:{port}/") as near:
            with pytest.raises(InvalidStatus) as refusal:
                await connect(f"ws://{near}{PATH}")
            assert refusal.value.response.status_code == 502


async def greet(connection: ServerConnection) -> None:
    """A server that greets, and no more."""
    await connection.send('{"type": "session.created", "session": {}}')
    await connection.wait_closed()


# -- before the first reply --------------------------------------------------------------------------------------------


async def test_an_upstream_lost_in_the_middle_of_a_question_costs_nothing_but_time() -> None:
    script = Script()
    done = value_of(metrics.RELAY_RECONNECTS, "_total", relay="far", outcome="done")
    async with scripted_edge(script) as far, proxied(far) as proxy:
        async with client_of(f"ws://{proxy.address}/v1/realtime") as client:
            await client.send(type="session.update", session={"type": "realtime", "instructions": "Be brief."})
            await client.until("session.updated")
            await client.speak_base64(0.6, 0)
            await client.until("input_audio_buffer.speech_started")
            proxy.cut()
            await client.speak_base64(0.2, 0.8)
            assert (await client.until("response.done"))["response"]["status"] == "completed"
            assert client.kinds.count("session.created") == 1
            assert errors_told(client) == []
        assert proxy.accepted == 2
    assert script.asked == ["what time is it"]
    assert script.chats[-1].instructions == "Be brief."
    assert value_of(metrics.RELAY_RECONNECTS, "_total", relay="far", outcome="done") == done + 1


async def test_an_upstream_lost_while_it_thinks_is_replaced_and_the_client_knows_what_does_not_exist_any_more() -> None:
    script = Script(first_token_delay_s=0.5)
    async with (
        scripted_edge(script) as far,
        proxied(far) as proxy,
        client_of(f"ws://{proxy.address}/v1/realtime") as client,
    ):
        await client.speak_base64(0.5, 0.8)
        lost = (await client.until("conversation.item.added"))["item"]["id"]
        proxy.cut()
        deleted = await client.until("conversation.item.deleted")
        assert deleted["item_id"] == lost
        kept = (await client.until("conversation.item.added"))["item"]["id"]
        assert kept != lost
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert errors_told(client) == []


async def test_a_reply_that_was_begun_and_not_heard_has_failed_and_another_one_comes() -> None:
    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.send("response.created", response={"id": "resp_lost", "status": "in_progress"})
        await peer.connection.close(1012)

    async def second(peer: Peer) -> None:
        await peer.greet()
        await peer.reply(bytes(960), "Hello.", response_id="resp_2")

    async with scripted_server(in_turn(first, second)) as url, client_of(url) as client:
        failed = (await client.until("response.done"))["response"]
        assert (failed["id"], failed["status"]) == ("resp_lost", "failed")
        assert failed["status_details"]["error"]["code"] == "upstream_lost"
        assert (await client.until("response.done"))["response"]["id"] == "resp_2"


async def test_a_client_of_the_older_generation_is_greeted_once() -> None:
    async def greet_in_beta(peer: Peer) -> None:
        assert peer.connection.request is not None
        assert peer.connection.request.headers["OpenAI-Beta"] == "realtime=v1"
        await peer.greet()
        await peer.send("conversation.created", conversation={"id": "conv_1"})

    async def first(peer: Peer) -> None:
        await greet_in_beta(peer)
        await peer.connection.close(1013)

    async def second(peer: Peer) -> None:
        await greet_in_beta(peer)
        await peer.send("response.audio.delta", response_id="resp_1", delta="")
        await peer.connection.close(1013)

    path = PATH.replace("/v1/realtime", "/ws/voice")
    async with scripted_server(in_turn(first, second)) as url, relaying(url) as near, connected(near, path) as client:
        assert await closing(client) == (1013, "upstream lost")
        assert client.kinds == ["session.created", "conversation.created", "response.audio.delta", "error"]


async def test_what_was_said_is_repeated_in_order_and_once() -> None:
    heard: list[dict[str, Any]] = []

    async def second(peer: Peer) -> None:
        await peer.greet()
        heard.extend([await peer.receive() for _ in range(4)])
        await peer.reply(bytes(960), "Hello.")

    async def first(peer: Peer) -> None:
        await peer.greet()
        for _ in range(3):
            await peer.receive()
        peer.connection.transport.abort()

    async with scripted_server(in_turn(first, second)) as url, client_of(url) as client:
        await client.send(type="session.update", session={"type": "realtime"}, event_id="1")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
        await client.send(type="conversation.item.create", item=item, event_id="2")
        await client.send(type="input_audio_buffer.append", audio=SPEECH, event_id="3")
        await client.send(type="input_audio_buffer.commit", event_id="4")
        await client.until("response.done")
    assert [event["event_id"] for event in heard] == ["1", "2", "3", "4"]


async def test_a_client_secrets_session_is_set_again() -> None:
    heard: list[dict[str, Any]] = []

    async def configured(peer: Peer) -> None:
        await peer.greet()
        heard.append(await peer.receive())
        await peer.send("session.updated", session={"id": "sess_1", "instructions": "Arr."})

    async def first(peer: Peer) -> None:
        await configured(peer)
        peer.connection.transport.abort()

    async def second(peer: Peer) -> None:
        await configured(peer)
        await peer.reply(bytes(960), "Hello.")

    session = b'{"type":"realtime","model":"far","instructions":"Arr."}'
    key = ClientSecrets(KeyRing(["sk-0123456789abcdef"]).material).issue(session, int(time.time()) + 60)
    async with (
        scripted_server(in_turn(first, second)) as url,
        relaying(url, api_keys="sk-0123456789abcdef") as near,
        connect(f"ws://{near}{PATH}", additional_headers={"Authorization": f"Bearer {key}"}) as socket,
    ):
        client = Client(socket)
        await client.until("response.done")
        assert client.kinds.count("session.created") == 1
        assert "session.updated" not in client.kinds
    assert [event["session"] for event in heard] == [{"type": "realtime", "instructions": "Arr."}] * 2


async def test_minutes_of_silence_before_the_first_word_do_not_stand_in_the_way() -> None:
    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.hear(960 * 100)
        await peer.send("input_audio_buffer.speech_started", audio_start_ms=0)
        await peer.receive()
        peer.connection.transport.abort()

    async def second(peer: Peer) -> None:
        await peer.greet()
        await peer.hear(960 * 2)
        await peer.reply(bytes(960), "Hello.")

    async with scripted_server(in_turn(first, second)) as url, client_of(url, relay_replay_bytes=8_000) as client:
        for _ in range(100):
            await client.send(type="input_audio_buffer.append", audio=SPEECH)
        await client.until("input_audio_buffer.speech_started")
        await client.send(type="input_audio_buffer.append", audio=SPEECH)
        await client.until("response.done")


async def test_what_one_upstream_took_for_speech_is_no_silence_for_the_next() -> None:
    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.send("input_audio_buffer.speech_started", audio_start_ms=0)
        await peer.hear(960)
        peer.connection.transport.abort()

    async def second(peer: Peer) -> None:
        await peer.greet()
        await peer.hear(960 * 5)
        peer.connection.transport.abort()

    async def third(peer: Peer) -> None:
        await peer.greet()
        await peer.hear(960 * 5)
        await peer.reply(bytes(960), "Hello.")

    acts = in_turn(first, second, third)
    async with scripted_server(acts) as url, client_of(url, relay_replay_bytes=8_000) as client:
        await client.until("input_audio_buffer.speech_started")
        for _ in range(5):
            await client.send(type="input_audio_buffer.append", audio=SPEECH)
            await asyncio.sleep(0.1)
        await client.until("response.done")


async def test_more_than_is_kept_is_not_repeated_by_half() -> None:
    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.send("input_audio_buffer.speech_started", audio_start_ms=0)
        await peer.hear(960 * 20)
        peer.connection.transport.abort()

    async with scripted_server(in_turn(first)) as url, client_of(url, relay_replay_bytes=8_000) as client:
        await client.until("input_audio_buffer.speech_started")
        for _ in range(20):
            await client.send(type="input_audio_buffer.append", audio=SPEECH)
        error = (await client.until("error"))["error"]
        assert (error["code"], error["type"]) == ("upstream_lost", "server_error")
        assert "more had been said than is kept" in error["message"]
        assert await closing(client) == (1013, "upstream lost")


async def test_an_upstream_that_is_lost_again_and_again_is_given_up() -> None:
    before = errors("lost")
    async with scripted_server(vanish) as url, client_of(url, relay_attempts=2) as client:
        assert "again and again" in (await client.until("error"))["error"]["message"]
        assert await closing(client) == (1013, "upstream lost")
        assert client.kinds.count("session.created") == 1
    assert errors("lost") == before + 3


async def test_an_upstream_that_cannot_be_replaced_is_told_of() -> None:
    failed = value_of(metrics.RELAY_RECONNECTS, "_total", relay="far", outcome="failed")
    async with (
        scripted_edge(Script()) as far,
        proxied(far) as proxy,
        client_of(f"ws://{proxy.address}/v1/realtime", relay_attempts=2) as client,
    ):
        await client.until("session.created")
        proxy.refuses = True
        proxy.cut()
        assert "cannot be reached" in (await client.until("error"))["error"]["message"]
        assert await closing(client) == (1013, "upstream lost")
    assert value_of(metrics.RELAY_RECONNECTS, "_total", relay="far", outcome="failed") == failed + 1


async def test_a_client_that_leaves_meanwhile_is_not_waited_for() -> None:
    async with (
        scripted_edge(Script()) as far,
        proxied(far) as proxy,
        relaying(f"ws://{proxy.address}/v1/realtime", relay_attempts=50, relay_timeout_s=60.0) as near,
    ):
        async with connected(near, PATH) as client:
            await client.until("session.created")
            proxy.refuses = True
            proxy.cut()
            await eventually(lambda: proxy.accepted >= 3)
        await eventually(lambda: value_of(metrics.SESSIONS_ACTIVE) == 0)


async def test_an_upstream_that_takes_nothing_counts_as_lost() -> None:
    before = errors("stalled")

    replaced = asyncio.Event()

    async def stuck(peer: Peer) -> None:
        await peer.greet()
        peer.connection.transport.pause_reading()
        await replaced.wait()
        peer.connection.transport.abort()

    async def second(peer: Peer) -> None:
        replaced.set()
        await peer.greet()
        await peer.hear(300_000 * 50)
        await peer.reply(bytes(960), "Hello.")

    audio = base64.b64encode(bytes(300_000)).decode()
    async with (
        scripted_server(in_turn(stuck, second)) as url,
        client_of(url, relay_stall_s=0.3, relay_replay_bytes=100 << 20) as client,
    ):
        for _ in range(50):
            await client.send(type="input_audio_buffer.append", audio=audio)
        await client.until("response.done")
    assert errors("stalled") == before + 1


# -- after it ----------------------------------------------------------------------------------------------------------


async def test_an_upstream_lost_after_the_first_audio_ends_the_session_with_an_error() -> None:
    long = Script(replies=[" ".join(f"word{number}" for number in range(60))])
    async with scripted_edge(long) as far, proxied(far) as proxy:
        async with client_of(f"ws://{proxy.address}/v1/realtime") as client:
            await client.speak_base64(0.5, 0.8)
            await client.until("response.output_audio.delta")
            proxy.cut()
            error = (await client.until("error"))["error"]
            assert (error["code"], error["type"]) == ("upstream_lost", "server_error")
            assert "after a reply had begun" in error["message"]
            assert await closing(client) == (1013, "upstream lost")
        assert proxy.accepted == 1


@pytest.mark.parametrize("replied", [False, True])
@pytest.mark.parametrize(("code", "reason"), [(1000, "session expired"), (1008, "enough"), (4001, "custom")])
async def test_an_upstream_that_says_it_is_over_is_believed(replied: bool, code: int, reason: str) -> None:
    async def act(peer: Peer) -> None:
        await peer.greet()
        if replied:
            await peer.reply(bytes(960), "Hello.")
        await peer.connection.close(code, reason)

    async with scripted_server(in_turn(act)) as url, client_of(url) as client:
        assert await closing(client) == (code, reason)
        assert errors_told(client) == []


async def test_an_error_of_the_upstream_is_passed_on_and_counted() -> None:
    before = errors("error_event")

    async def act(peer: Peer) -> None:
        await peer.greet()
        await peer.send("error", error={"type": "invalid_request_error", "code": "odd", "message": "no"})
        await peer.receive()

    async with scripted_server(act) as url, client_of(url) as client:
        assert (await client.until("error"))["error"]["code"] == "odd"
        await client.send(type="input_audio_buffer.clear")
        assert await closing(client) == (1000, "")
    assert errors("error_event") == before + 1
