"""A stage with a scripted engine, to try the chassis with: it answers audio with the offset it has reached.

Its settings are `VOXFLEET_ECHO_…`. Run as a module it is a server process like any other stage.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydantic import Field
from pydantic_settings import SettingsConfigDict
from voxfleet.vad.v1 import vad_pb2, vad_pb2_grpc
from voxfleet.vad.v1.vad_pb2 import (
    DetectConfig,
    DetectRequest,
    DetectResponse,
    FrameProbability,
    SpeechStarted,
    SpeechStopped,
)

from chassis.audio import BYTES_PER_SAMPLE
from chassis.context import CallContext
from chassis.errors import StageError
from chassis.formats import fleet_format
from chassis.server import Stage, run
from chassis.settings import StageSettings, load
from chassis.streams import read_config, read_rest

NAME = "echo"
SERVICE: str = vad_pb2.DESCRIPTOR.services_by_name["VoiceActivityService"].full_name
SECRET = "the model's private trouble"

CRASH = b"crash!"
"""Audio that makes the servicer fail in a way it did not foresee, with the message SECRET."""
FLOOD = b"flood!"
"""Audio that is answered without end."""

if TYPE_CHECKING:
    # Generic in the stubs only.
    Stream = grpc.aio.StreamStreamCall[DetectRequest, DetectResponse]

log = logging.getLogger("tests.echo")


class Settings(StageSettings):
    """Echo server: a stage without a model."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_ECHO_", extra="ignore", env_ignore_empty=True)

    max_threshold: float = Field(0.9, description="largest threshold that a stream may ask for")


@dataclass(slots=True)
class ScriptedEngine:
    """Warms up when `may_warm` is set and then fails with `failure`, if there is one; says what was done to it."""

    failure: Exception | None = None
    may_warm: asyncio.Event = field(default_factory=asyncio.Event)
    warming: asyncio.Event = field(default_factory=asyncio.Event)
    closes: int = 0
    streams: int = 0
    streams_at_close: int | None = None
    """Streams that were running when the engine was closed; None while it was not."""

    @classmethod
    def warm(cls) -> Self:
        """One that needs no time to warm up."""
        engine = cls()
        engine.may_warm.set()
        return engine

    async def start(self) -> None:
        self.warming.set()
        await self.may_warm.wait()
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self.closes += 1
        self.streams_at_close = self.streams


class EchoServicer(vad_pb2_grpc.VoiceActivityServiceServicer):
    """Answers each piece of audio with SpeechStarted at the offset after it, half-close with SpeechStopped."""

    def __init__(self, engine: ScriptedEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    async def Detect(
        self,
        request_iterator: AsyncIterator[DetectRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[DetectResponse]:
        self._engine.streams += 1
        try:
            first = await read_config(request_iterator, self._settings.idle_timeout_s)
            if first.config.threshold > self._settings.max_threshold:
                raise StageError.invalid("threshold", f"at most {self._settings.max_threshold}")
            log.info("listening")
            offset = first.config.start_offset
            async for _, request in read_rest(request_iterator, self._settings.idle_timeout_s):
                if request.audio == CRASH:
                    raise RuntimeError(SECRET)
                while request.audio == FLOOD:
                    yield DetectResponse(frame_probability=FrameProbability(offset=offset))
                offset += len(request.audio) // BYTES_PER_SAMPLE
                log.info("heard")
                yield DetectResponse(speech_started=SpeechStarted(offset=offset))
            yield DetectResponse(speech_stopped=SpeechStopped(offset=offset))
        finally:
            self._engine.streams -= 1


def stage(engine: ScriptedEngine, settings: Settings) -> Stage:
    """The stage around `engine`."""
    servicer = EchoServicer(engine, settings)
    return Stage(
        NAME,
        SERVICE,
        engine,
        lambda server: vad_pb2_grpc.add_VoiceActivityServiceServicer_to_server(servicer, server),
    )


def config(**fields: Any) -> DetectRequest:
    """A first message."""
    return DetectRequest(config=DetectConfig(format=fleet_format(), **fields))


def audio(samples: int) -> DetectRequest:
    """That much silence."""
    return DetectRequest(audio=bytes(samples * BYTES_PER_SAMPLE))


def open_stream(channel: grpc.aio.Channel, session_id: str = "", turn_id: str = "") -> "Stream":
    """A new stream of the stage, on behalf of a session and a turn; nothing is sent yet."""
    stub: vad_pb2_grpc.VoiceActivityServiceAsyncStub = vad_pb2_grpc.VoiceActivityServiceStub(channel)
    return stub.Detect(metadata=CallContext(session_id, turn_id).to_metadata())


async def listen(channel: grpc.aio.Channel, *requests: DetectRequest) -> list[DetectResponse]:
    """What a stream of its own answers to `requests` and a half-close. Raises AioRpcError."""
    call = open_stream(channel)
    for request in requests:
        await call.write(request)
    await call.done_writing()
    return await rest_of(call)


async def rest_of(call: "Stream") -> list[DetectResponse]:
    """What a stream still has to say until it ends. Raises AioRpcError where it ends with an error."""
    heard = []
    async with asyncio.timeout(10):
        while isinstance(response := await call.read(), DetectResponse):
            heard.append(response)
    return heard


async def health_of(channel: grpc.aio.Channel, service: str = "") -> str:
    """The status that the server reports for `service`, by its name in health.proto."""
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return name


async def services_of(channel: grpc.aio.Channel) -> set[str]:
    """The services that the server tells of by reflection, by their full names."""

    async def question() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    [answer] = [answer async for answer in reflection.ServerReflectionInfo(question())]
    return {service.name for service in answer.list_services_response.service}


async def _build(settings: Settings) -> Stage:
    return stage(ScriptedEngine.warm(), settings)


if __name__ == "__main__":
    loaded = load(Settings, "python -m tests.support.echo_stage")
    run(lambda: _build(loaded), loaded)
