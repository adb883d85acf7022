"""The voice activity stage: its engines and its servicer put together."""

import asyncio
from dataclasses import dataclass

from voxfleet.vad.v1 import vad_pb2, vad_pb2_grpc

from chassis.server import Stage
from services.vad.engines import create, create_end_of_turn
from services.vad.engines.base import EndOfTurnEngine, Engine
from services.vad.servicer import VoiceActivityServicer
from services.vad.settings import Settings

SERVICE: str = vad_pb2.DESCRIPTOR.services_by_name["VoiceActivityService"].full_name


@dataclass(frozen=True, slots=True)
class Engines:
    """Both engines as the one that the bootstrap starts and closes."""

    speech: Engine
    end_of_turn: EndOfTurnEngine

    async def start(self) -> None:
        """Starts both."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.speech.start())
            group.create_task(self.end_of_turn.start())

    async def close(self) -> None:
        """Closes both."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.speech.close())
            group.create_task(self.end_of_turn.close())


async def build(settings: Settings) -> Stage:
    """The stage that the settings describe, not started. Raises UnknownEngineError."""
    engines = Engines(create(settings), create_end_of_turn(settings))
    servicer = VoiceActivityServicer(engines.speech, engines.end_of_turn, settings)
    return Stage(
        "vad",
        SERVICE,
        engines,
        lambda server: vad_pb2_grpc.add_VoiceActivityServiceServicer_to_server(servicer, server),
    )
