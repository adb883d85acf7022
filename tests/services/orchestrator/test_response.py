"""A response as its client is told of it, driven by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from voxfleet.llm.v1 import llm_pb2

from chassis.errors import StageError
from services.orchestrator import events
from services.orchestrator.conversation import Conversation
from services.orchestrator.marks import TurnMarks
from services.orchestrator.reply import Reply, ReplyRequest
from services.orchestrator.response import Response
from services.orchestrator.settings import Settings
from services.orchestrator.turn_events import CancelReason


@dataclass(slots=True)
class Owner:
    """Keeps what it is told."""

    told: list[str] = field(default_factory=list)

    def on_ready(self, response: Response) -> None:
        self.told.append("ready")

    def on_audio_begins(self, response: Response) -> None:
        self.told.append("audio")

    def on_ended(self, response: Response) -> None:
        self.told.append("ended")

    def on_failed(self, response: Response, error: StageError) -> None:
        self.told.append("failed")


@dataclass(slots=True)
class Stand:
    """A response, whom it belongs to, and what it told."""

    response: Response
    owner: Owner
    conversation: Conversation
    told: list[events.Event]


@asynccontextmanager
async def standing() -> AsyncIterator[Stand]:
    owner, conversation, told = Owner(), Conversation(), list[events.Event]()
    response = Response(owner, conversation, told.append)
    reply = Reply(llm_pb2.ChatConfig(max_output_tokens=5), Settings(), response)
    reply.ask(ReplyRequest(1, "", "en", "text"), TurnMarks())
    task = asyncio.create_task(asyncio.sleep(60))
    response.carry(reply, task)
    yield Stand(response, owner, conversation, told)
    task.cancel()


def say_everything(response: Response) -> None:
    response.on_reply_ready()
    response.on_reply_outcome()
    response.on_reply_text("late")
    response.on_reply_audio(b"\0\0", 24_000)
    response.on_reply_ended()
    response.on_reply_failed(StageError.exhausted("FULL", "full"))


@pytest.mark.parametrize("end", ["cancelled", "finished", "stopped"])
async def test_what_a_reply_says_after_its_end_is_not_heard(end: str) -> None:
    async with standing() as stand:
        if end != "stopped":
            stand.response.begin()
        match end:
            case "cancelled":
                stand.response.cancel(CancelReason.CLIENT, None, "")
            case "finished":
                stand.response.finish()
            case _:
                stand.response.stop()
        told = list(stand.told)
        say_everything(stand.response)
        assert (stand.told, stand.owner.told) == (told, [])


async def test_a_draft_that_is_cancelled_is_never_told() -> None:
    async with standing() as stand:
        stand.response.reply.outcome.begin_text()
        stand.response.on_reply_outcome()
        stand.response.cancel(CancelReason.DRAFT_DISCARDED, None, "")
        assert stand.told == []
        assert len(stand.conversation) == 0


async def test_the_place_of_an_item_is_that_at_its_end() -> None:
    async with standing() as stand:
        stand.response.begin()
        stand.response.reply.outcome.begin_text()
        stand.response.on_reply_outcome()
        stand.response.finish()
        (began,) = (event for event in stand.told if isinstance(event, events.OutputBegan))
        (ended,) = (event for event in stand.told if isinstance(event, events.OutputDone))
        assert began.place == ended.place == events.Place(None)


async def test_an_item_that_the_client_deleted_meanwhile_is_done_in_no_conversation() -> None:
    async with standing() as stand:
        stand.response.begin()
        stand.response.reply.outcome.begin_text()
        stand.response.on_reply_outcome()
        stand.conversation.delete(stand.response.item_id)
        stand.response.finish()
        (ended,) = (event for event in stand.told if isinstance(event, events.OutputDone))
        assert ended.place is None
        assert len(stand.conversation) == 0
