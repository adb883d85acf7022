"""A conversation that outlives the orchestrator which served it."""

import asyncio

import pytest

from client import RealtimeClient, Reconnect, connect
from client.events import Reconnected, ReplyTranscriptDone, ResponseDone
from tests.fleet.conftest import Fleet

pytestmark = pytest.mark.fleet


async def answer(client: RealtimeClient) -> str:
    """The words of the next reply."""
    words = ""
    async with asyncio.timeout(120):
        async for event in client:
            if isinstance(event, ReplyTranscriptDone):
                words = event.transcript
            if isinstance(event, ResponseDone):
                assert event.status == "completed", event
                return words
    raise AssertionError("the server closed the connection")


async def test_a_conversation_goes_on_after_the_orchestrator_was_killed(fleet: Fleet) -> None:
    patient = Reconnect(give_up_after_s=120.0)
    async with connect(fleet.realtime_url, reconnect=patient) as client:
        await client.update(instructions="You are a helpful assistant. Answer in one short sentence.")
        await client.send_text("My name is Rosalind and I live in Lisbon. Please remember that.")
        await answer(client)
        await fleet.kill("orchestrator")
        async with asyncio.timeout(120):
            while not isinstance(event := await anext(client), Reconnected):
                pass
        assert (event.items, event.unanswered) == (2, False)
        assert client.session["instructions"] == "You are a helpful assistant. Answer in one short sentence."
        await client.send_text("What is my name?")
        assert "Rosalind" in await answer(client)
    await fleet.ready()
