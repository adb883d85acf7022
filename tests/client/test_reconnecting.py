import asyncio
from typing import Any

import pytest

from client.conversation import MAX_ITEMS, Conversation
from client.errors import ConnectionLostError, ProtocolError, RejectedError, UnreachableError
from client.events import (
    ItemAdded,
    ItemDeleted,
    ItemDone,
    Reconnected,
    ReplyTranscriptDelta,
    TranscriptionCompleted,
    UnknownEvent,
)
from client.items import Item
from client.realtime import RealtimeClient
from client.reconnecting import Reconnect
from client.sound.loudspeaker import Position
from client.speaking import ask
from tests.support.audio import tone
from tests.support.realtime import Peer, scripted_server

LOST = ConnectionLostError("lost", 1006)
AT_ONCE = Reconnect(initial_s=0.01, jitter=0.0, give_up_after_s=2.0)

USER = {"id": "item_1", "type": "message", "role": "user"}
HEARD = USER | {"content": [{"type": "input_audio", "transcript": "My name is Ada."}]}
REPLY = {"id": "item_2", "type": "message", "role": "assistant"}


def test_delays_double_up_to_a_limit_and_end_in_time() -> None:
    policy = Reconnect(initial_s=1, max_s=5, give_up_after_s=20, jitter=0.5, random=lambda: 0.0)
    assert [policy.delay_s(failures, 0.0, LOST) for failures in range(5)] == [1, 2, 4, 5, 5]
    assert policy.delay_s(10_000, 19.9, LOST) == 5
    assert policy.delay_s(3, 20.0, LOST) is None


def test_clients_do_not_all_come_back_at_the_same_moment() -> None:
    policy = Reconnect(initial_s=1, jitter=0.5, random=lambda: 1.0)
    assert policy.delay_s(0, 0.0, LOST) == 0.5


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionLostError("", None), True),
        (ConnectionLostError("", 1001), True),
        (ConnectionLostError("", 1011), True),
        (ConnectionLostError("", 1013), True),
        (UnreachableError(""), True),
        (RejectedError("", 503), True),
        (RejectedError("", 429), True),
        (ConnectionLostError("", 1000), False),
        (ConnectionLostError("", 1008), False),
        (RejectedError("", 401), False),
        (RejectedError("a bad configuration"), False),
        (ProtocolError(""), False),
    ],
)
def test_what_another_attempt_would_not_help_ends_it(error: Any, again: bool) -> None:
    assert (Reconnect().delay_s(0, 0.0, error) is not None) is again


def unanswered(conversation: Conversation) -> bool:
    return conversation.unanswered


def message(item_id: str, role: str, text: str) -> Item:
    return Item(id=item_id, type="message", role=role, text=text)


def test_a_conversation_is_what_was_said_and_heard() -> None:
    conversation = Conversation()
    assert not unanswered(conversation)
    for event in (
        ItemAdded(message("item_1", "user", "")),
        TranscriptionCompleted("item_1", "My name is Ada."),
        ItemAdded(message("item_2", "assistant", "")),
        ReplyTranscriptDelta("r1", "Hello Ada, ", "item_2"),
        ReplyTranscriptDelta("r1", "how are you?", "item_2"),
    ):
        conversation.received(event)
    assert [item.text for item in conversation.items] == ["My name is Ada.", "Hello Ada, how are you?"]
    assert not unanswered(conversation)
    conversation.received(ItemDone(message("item_2", "assistant", "Hello Ada,")))
    assert conversation.items[-1].text == "Hello Ada,"
    conversation.received(ItemDeleted("item_2"))
    assert unanswered(conversation)
    conversation.received(ItemDeleted("item_9"))
    conversation.received(UnknownEvent("rate_limits.updated", {}))
    assert len(conversation.items) == 1


def test_a_conversation_keeps_its_latest_items() -> None:
    conversation = Conversation()
    for number in range(MAX_ITEMS + 2):
        conversation.received(ItemAdded(message(f"item_{number}", "user", "Hello")))
    assert len(conversation.items) == MAX_ITEMS
    assert conversation.items[0].id == "item_2"


def test_speech_is_told_to_another_session_as_text() -> None:
    assert message("item_1", "user", "Hi").as_json() == USER | {"content": [{"type": "input_text", "text": "Hi"}]}
    assert message("", "assistant", "Hi").as_json() == {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi"}],
    }
    call = Item(id="item_3", type="function_call", name="weather", call_id="call_1", arguments="{}")
    assert call.as_json() == {
        "id": "item_3",
        "type": "function_call",
        "call_id": "call_1",
        "name": "weather",
        "arguments": "{}",
    }
    output = Item(id="", type="function_call_output", call_id="call_1", text="sunny")
    assert output.as_json() == {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}


class Server:
    """A server whose first connection breaks in the middle, and what it was told on the others."""

    def __init__(self, *, refuse_item: str = "", refuse_session: bool = False, then_close: int | None = None) -> None:
        self.connections = 0
        self.told: list[dict[str, Any]] = []
        self._refuse_item = refuse_item
        self._refuse_session = refuse_session
        self._then_close = then_close

    async def __call__(self, peer: Peer) -> None:
        self.connections += 1
        await peer.greet()
        if self.connections == 1:
            update = await peer.receive()
            await peer.send("session.updated", session=update["session"])
            await peer.send("conversation.item.added", item=HEARD)
            await peer.send("conversation.item.added", item=REPLY | {"content": []})
            await peer.send(
                "response.output_audio_transcript.delta", response_id="r1", item_id="item_2", delta="Hello Ada"
            )
            await peer.audio(tone(0.1))
            peer.connection.transport.abort()
            return
        if self._then_close is not None:
            await peer.connection.close(self._then_close, "no more")
            return
        while True:
            event = await peer.receive()
            self.told.append(event)
            match event["type"]:
                case "session.update" if self._refuse_session:
                    await self._error(peer, event)
                case "session.update":
                    await peer.send("session.updated", session=event["session"])
                case "conversation.item.create" if event["item"].get("id") == self._refuse_item:
                    await self._error(peer, event)
                case "conversation.item.create":
                    await peer.send("conversation.item.added", item={"id": "new"} | event["item"])
                    await peer.send("conversation.item.done", item={"id": "new"} | event["item"])

    async def _error(self, peer: Peer, event: dict[str, Any]) -> None:
        error = {"type": "invalid_request_error", "message": "no", "event_id": event["event_id"]}
        await peer.send("error", error=error)

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.told]


async def until_reconnected(client: RealtimeClient) -> Reconnected:
    async with asyncio.timeout(5):
        while True:
            if isinstance(event := await anext(client), Reconnected):
                return event


async def test_a_new_session_is_configured_and_told_what_was_said() -> None:
    server = Server()
    async with scripted_server(server) as url, RealtimeClient.connect(url, reconnect=AT_ONCE) as client:
        await client.update(instructions="Be brief.", voice="anna")
        event = await until_reconnected(client)
        assert (event.items, event.unanswered) == (2, False)
        assert server.told[0]["session"]["instructions"] == client.session["instructions"] == "Be brief."
        assert server.told[0]["session"]["audio"]["output"]["voice"] == "anna"
        assert [told["item"]["content"][0] for told in server.told[1:]] == [
            {"type": "input_text", "text": "My name is Ada."},
            {"type": "output_text", "text": "Hello Ada"},
        ]
        await client.send_text("What is my name?")
        async with asyncio.timeout(5):
            while server.kinds[-1] != "response.create":  # noqa: ASYNC110 - the server is scripted
                await asyncio.sleep(0.01)
        # What the loudspeaker plays of the lost session's reply is nothing to the new one.
        client.extended = True
        await client.report_playout(Position("item_2", 10.0, playing=True))
        await client.cancel_response()
        async with asyncio.timeout(5):
            while server.kinds[-1] != "response.cancel":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert "voxfleet.playout.position" not in server.kinds


async def test_an_item_that_the_server_refuses_is_left_out() -> None:
    server = Server(refuse_item="item_1")
    async with scripted_server(server) as url, RealtimeClient.connect(url, reconnect=AT_ONCE) as client:
        await client.update(voice="anna")
        assert (await until_reconnected(client)).items == 1


async def test_a_configuration_that_the_server_refuses_now_ends_it() -> None:
    server = Server(refuse_session=True)
    async with scripted_server(server) as url, RealtimeClient.connect(url, reconnect=AT_ONCE) as client:
        await client.update(voice="anna")
        with pytest.raises(ConnectionLostError, match="could not be opened again: invalid_request_error: no"):
            await until_reconnected(client)
    assert server.connections == 2


async def test_a_server_that_stays_away_ends_it_with_both_reasons() -> None:
    server = Server(then_close=1011)
    policy = Reconnect(initial_s=0.01, jitter=0.0, give_up_after_s=0.1)
    async with scripted_server(server) as url, RealtimeClient.connect(url, reconnect=policy) as client:
        await client.update(voice="anna")
        with pytest.raises(ConnectionLostError, match=r"the connection was lost .*could not be opened again: .*1011"):
            await until_reconnected(client)
        with pytest.raises(ConnectionLostError):
            await client.send_text("Hello?")
    assert server.connections > 2


async def test_audio_of_the_time_without_a_connection_is_left_out_and_counted_and_the_rest_waits() -> None:
    server = Server()
    policy = Reconnect(initial_s=0.3, jitter=0.0)
    async with scripted_server(server) as url, RealtimeClient.connect(url, reconnect=policy) as client:
        await client.update(voice="anna")
        while client.online:  # noqa: ASYNC110 - nothing tells when it notices
            await asyncio.sleep(0.01)
        await client.send_audio(tone(0.5))
        assert client.lost_audio_s == 0.5
        await client.send("response.cancel")
        async with asyncio.timeout(5):
            while "response.cancel" not in server.kinds:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert "input_audio_buffer.append" not in server.kinds


async def test_a_question_that_the_loss_swallowed_is_an_error_and_the_client_stays_open() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        if not answers:
            answers.append("")
            await peer.hear(4_800)
            peer.connection.transport.abort()
            return
        await peer.hear_question()
        await peer.reply(tone(0.1), "Yes.")
        await peer.connection.wait_closed()

    answers: list[str] = []
    async with scripted_server(script) as url, RealtimeClient.connect(url, reconnect=AT_ONCE) as client:
        with pytest.raises(ConnectionLostError, match="it is open again; no speech was noticed"):
            await ask(client, tone(0.5), lead_in_s=0)
        assert (await ask(client, tone(0.2), lead_in_s=0)).answer == "Yes."


async def test_a_server_that_ends_the_session_is_not_asked_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.connection.close(1000, "goodbye")

    async with scripted_server(script) as url, RealtimeClient.connect(url, reconnect=AT_ONCE) as client:
        assert [event async for event in client] == []
        assert client.close_reason == "1000 goodbye"
