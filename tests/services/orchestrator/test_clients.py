"""Streams to the stages: nothing of them is left, however they end. Stages scripted, over real gRPC."""

import asyncio

import pytest

from chassis.context import CallContext
from services.orchestrator.clients import Stages
from tests.support.scripted import Script, scripted_fleet


@pytest.mark.parametrize("steps", range(0, 40, 4))
async def test_a_stream_that_is_given_up_while_it_waits_for_admission_is_ended(steps: int) -> None:
    script = Script()
    async with scripted_fleet(script) as settings:
        stages = Stages(settings)
        context = CallContext(session_id="s")
        async with stages.synthesize(context):
            pass  # connected, so that the next stream meets the stage at once

        async def open_stream() -> None:
            async with stages.synthesize(context):
                await asyncio.sleep(60)

        opening = asyncio.create_task(open_stream())
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        # Long enough for a stream that was under way to reach the stage.
        await asyncio.sleep(0.05)
        assert script.streams["tts"] == 0
        await stages.close()
