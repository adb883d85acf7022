"""The way to the stages: pooled channels, typed streams, errors named by stage, and how loaded each stage is."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from voxfleet.llm.v1 import llm_pb2, llm_pb2_grpc
from voxfleet.stt.v1 import stt_pb2, stt_pb2_grpc
from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc
from voxfleet.vad.v1 import vad_pb2, vad_pb2_grpc

from chassis.context import CallContext
from chassis.errors import Code, StageError
from chassis.grpc_errors import from_rpc_error, from_status
from chassis.interceptor import ADMITTED_KEY, LOAD_KEY
from chassis.load import Load
from services.orchestrator.loads import Loads
from services.orchestrator.settings import Settings

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

STAGES = ("vad", "stt", "llm", "tts")

_CHANNEL_OPTIONS = (
    # A stage that comes back is found again within a second, not within grpc's default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A peer that vanished without a word is noticed even where nothing is sent.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Channels of one pool are connections of their own.
    ("grpc.use_local_subchannel_pool", 1),
)


# A stage that refuses at a limit does not say which; it is full.
_FULL = Load(1, 1)


class StageCall(Generic[RequestT, ResponseT]):
    """One bidirectional stream. As a context manager it leaves nothing running; failures are StageErrors.

    `on_load` is told the stage's load when the stream is admitted, or refused at a limit.
    """

    def __init__(
        self,
        stage: str,
        call: "grpc.aio.StreamStreamCall[RequestT, ResponseT]",
        admission_s: float,
        on_load: Callable[[Load], None],
    ) -> None:
        self.stage = stage
        self._admission_s = admission_s
        self._call = call
        self._on_load = on_load

    async def __aenter__(self) -> Self:
        """Waits until the stage has admitted the stream. Raises StageError where it is refused or cannot be reached."""
        try:
            await self._await_admission()
        except BaseException:
            # Nobody else ends a stream that was never entered, also where the waiting itself was cancelled.
            self._call.cancel()
            raise
        return self

    async def _await_admission(self) -> None:
        try:
            async with asyncio.timeout(self._admission_s):
                metadata = await self._call.initial_metadata()
        except TimeoutError as error:
            message = f"{self.stage} did not admit the stream within {self._admission_s:g} s"
            code = Code.DEADLINE_EXCEEDED
            raise StageError(code, "NOT_ADMITTED", message, stage=self.stage) from error
        except grpc.aio.AioRpcError as error:
            raise self._failed(error) from error
        told = dict(metadata)
        if ADMITTED_KEY not in told:
            raise await self._ended()
        if (load := Load.parse(str(told.get(LOAD_KEY)))) is not None:
            self._on_load(load)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._call.done():
            self._call.cancel()

    async def send(self, request: RequestT) -> None:
        """Sends one request; waits while the stage's flow control says so."""
        try:
            await self._call.write(request)
        except grpc.aio.AioRpcError as error:
            raise self._failed(error) from error
        except asyncio.InvalidStateError as error:
            # The stream ended before this request; its status says why.
            raise await self._ended() from error

    async def finish(self) -> None:
        """Half-closes: no more requests."""
        try:
            await self._call.done_writing()
        except grpc.aio.AioRpcError as error:
            raise self._failed(error) from error

    async def _ended(self) -> StageError:
        call = self._call
        return self._noted(
            from_status(await call.code(), await call.details(), await call.trailing_metadata(), self.stage)
        )

    def _failed(self, error: grpc.aio.AioRpcError) -> StageError:
        return self._noted(from_rpc_error(error, self.stage))

    def _noted(self, error: StageError) -> StageError:
        if error.code is Code.RESOURCE_EXHAUSTED:
            self._on_load(_FULL)
        return error

    async def __aiter__(self) -> AsyncIterator[ResponseT]:
        try:
            async for response in self._call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise self._failed(error) from error


VadCall = StageCall[vad_pb2.DetectRequest, vad_pb2.DetectResponse]
SttCall = StageCall[stt_pb2.TranscribeRequest, stt_pb2.TranscribeResponse]
LlmCall = StageCall[llm_pb2.ChatRequest, llm_pb2.ChatResponse]
TtsCall = StageCall[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]


class Stages:
    """Streams to the four stages. One object serves every session; `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        targets = {stage: cast("str", getattr(settings, f"{stage}_target")) for stage in STAGES}
        self._channels = {
            stage: [grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS) for _ in range(settings.channels)]
            for stage, target in targets.items()
        }
        self._loads = Loads()
        self._next = {stage: itertools.cycle(channels) for stage, channels in self._channels.items()}

    async def close(self) -> None:
        """Closes every channel; running streams are cancelled."""
        await asyncio.gather(*(channel.close() for channels in self._channels.values() for channel in channels))

    def detect(self, context: CallContext) -> VadCall:
        """A stream of one session's voice activity. It has no deadline: it lives as long as the session."""
        return self._open("vad", lambda channel: vad_pb2_grpc.VoiceActivityServiceStub(channel).Detect, context, None)

    def transcribe(self, context: CallContext) -> SttCall:
        """A stream of one utterance. It has no deadline of its own: the turn machine times the answer to a flush."""
        return self._open(
            "stt", lambda channel: stt_pb2_grpc.SpeechToTextServiceStub(channel).Transcribe, context, None
        )

    def chat(self, context: CallContext) -> LlmCall:
        """A stream of one reply's text."""
        deadline_s = self._settings.llm_deadline_s
        return self._open(
            "llm", lambda channel: llm_pb2_grpc.LanguageModelServiceStub(channel).Chat, context, deadline_s
        )

    def synthesize(self, context: CallContext) -> TtsCall:
        """A stream of one reply's audio."""
        deadline_s = self._settings.tts_deadline_s
        return self._open(
            "tts", lambda channel: tts_pb2_grpc.TextToSpeechServiceStub(channel).Synthesize, context, deadline_s
        )

    def has_room(self, *stages: str) -> bool:
        """Whether the stages are far enough from their limits for work that may turn out needless."""
        limit, now = self._settings.draft_load_limit, time.monotonic()
        return all(self._loads.has_room(stage, limit, now) for stage in stages)

    async def voices(self) -> tuple[str, ...]:
        """Names of the TTS stage's voices. Raises StageError."""
        stub = tts_pb2_grpc.TextToSpeechServiceStub(next(self._next["tts"]))
        try:
            answer = await stub.ListVoices(tts_pb2.ListVoicesRequest(), timeout=self._settings.health_timeout_s)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, "tts") from error
        return tuple(voice.name for voice in answer.voices)

    async def not_ready(self) -> dict[str, str]:
        """Stages that cannot serve now, each with the reason; empty where all can."""
        answers = await asyncio.gather(*(self._health(stage) for stage in STAGES))
        return {stage: reason for stage, reason in zip(STAGES, answers, strict=True) if reason}

    async def _health(self, stage: str) -> str:
        stub = health_pb2_grpc.HealthStub(self._channels[stage][0])
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=self._settings.health_timeout_s)
        except grpc.aio.AioRpcError as error:
            return error.code().name.lower()
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return "" if serving else "warming"

    def _open(
        self, stage: str, method: Callable[[grpc.aio.Channel], Any], context: CallContext, deadline_s: float | None
    ) -> StageCall[Any, Any]:
        open_stream = method(next(self._next[stage]))
        call = open_stream(timeout=deadline_s, metadata=context.to_metadata())
        return StageCall(
            stage,
            call,
            self._settings.admission_timeout_s,
            lambda load: self._loads.note(stage, load, time.monotonic()),
        )
