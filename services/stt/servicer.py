"""The speech-to-text service over gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
from voxfleet.stt.v1 import stt_pb2, stt_pb2_grpc

from chassis.audio import ms_to_samples
from chassis.errors import StageError
from chassis.formats import require_fleet_format, require_whole_samples
from chassis.streams import read_config, read_rest
from services.stt.engines.base import Engine, Partial, SessionConfig
from services.stt.pace import PartialPace
from services.stt.settings import Settings
from services.stt.utterance import Answer, Asked, Audio, Utterance

MAX_START_OFFSET = 1 << 62
"""Largest offset a stream may start at: no stream reaches 2**64 from there."""
MAX_PARTIAL_INTERVAL_MS = 60_000
MAX_HINT_CHARACTERS = 1000
EVENT_BACKLOG = 8
"""Events that the client has not read; then transcribing waits for it."""


class SpeechToTextServicer(stt_pb2_grpc.SpeechToTextServiceServicer):
    """Connects streams to the engine."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._pace = PartialPace(engine.partials_together)

    async def Transcribe(
        self,
        request_iterator: AsyncIterator[stt_pb2.TranscribeRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[stt_pb2.TranscribeResponse]:
        """See stt.proto."""
        first = await read_config(request_iterator, self._settings.idle_timeout_s)
        config = first.config
        session = self._engine.open(session_config(config, self._engine.languages))
        utterance = Utterance(session, ms_to_samples(config.partial_interval_ms), self._pace)
        async with _running(utterance, self._inputs(request_iterator)) as events:
            async for event in events:
                yield _response(event, config.start_offset)

    async def _inputs(self, requests: AsyncIterator[stt_pb2.TranscribeRequest]) -> AsyncIterator[Audio | Asked]:
        async for kind, request in read_rest(requests, self._settings.idle_timeout_s):
            if kind == "flush":
                yield Asked(request.flush.flush_id)
            else:
                require_whole_samples(request.audio)
                yield Audio(request.audio)


def session_config(config: stt_pb2.TranscribeConfig, languages: frozenset[str]) -> SessionConfig:
    """Checks the message field by field. Raises StageError INVALID_FIELD."""
    require_fleet_format(config.format)
    if config.start_offset > MAX_START_OFFSET:
        raise StageError.invalid("start_offset", f"at most {MAX_START_OFFSET}, got {config.start_offset}")
    if config.language and config.language not in languages:
        known = ", ".join(sorted(languages))
        raise StageError.invalid("language", f"empty or one of {known}; got {config.language[:16]!r}")
    if config.partial_interval_ms > MAX_PARTIAL_INTERVAL_MS:
        raise StageError.invalid(
            "partial_interval_ms", f"0 to {MAX_PARTIAL_INTERVAL_MS}, got {config.partial_interval_ms}"
        )
    if len(config.hint) > MAX_HINT_CHARACTERS:
        raise StageError.invalid("hint", f"at most {MAX_HINT_CHARACTERS} characters, got {len(config.hint)}")
    expected = config.expected_language if config.expected_language in languages else ""
    return SessionConfig(config.language or None, expected, config.words, " ".join(config.hint.split()))


@dataclass(frozen=True, slots=True)
class _End:
    error: Exception | None


@asynccontextmanager
async def _running(
    utterance: Utterance, inputs: AsyncIterator[Audio | Asked]
) -> AsyncIterator[AsyncIterator[Partial | Answer]]:
    """Runs the utterance in a task of its own and gives its events; its error comes last. Leaving cancels it."""
    queue: asyncio.Queue[Partial | Answer | _End] = asyncio.Queue(EVENT_BACKLOG)

    async def produce() -> None:
        error: Exception | None = None
        try:
            await utterance.run(inputs, queue.put)
        except Exception as caught:  # raised again where the events are read
            error = caught
        await queue.put(_End(error))

    async def events() -> AsyncIterator[Partial | Answer]:
        while not isinstance(event := await queue.get(), _End):
            yield event
        if isinstance(event.error, ExceptionGroup) and (stage_errors := event.error.subgroup(StageError)):
            raise StageError.first_of(stage_errors) from event.error
        if event.error is not None:
            raise event.error

    task = asyncio.create_task(produce())
    try:
        yield events()
    finally:
        task.cancel()
        await asyncio.wait((task,))


def _response(event: Partial | Answer, start_offset: int) -> stt_pb2.TranscribeResponse:
    match event:
        case Partial(hypothesis, end):
            partial = stt_pb2.Partial(
                stable=hypothesis.stable.lstrip(), unstable=hypothesis.unstable, end_offset=start_offset + end
            )
            if not partial.stable:
                partial.unstable = partial.unstable.lstrip()
            return stt_pb2.TranscribeResponse(partial=partial)
        case Answer(transcript, flush_id):
            words = [
                stt_pb2.Word(
                    text=word.text,
                    start_offset=start_offset + word.start,
                    end_offset=start_offset + word.end,
                    probability=word.probability,
                )
                for word in transcript.words
            ]
            language = transcript.language
            final = stt_pb2.Final(
                text=transcript.text,
                language=language.code if language else "",
                language_probability=language.probability if language else 0.0,
                words=words,
                end_offset=start_offset + transcript.end,
                flush_id=flush_id,
            )
            return stt_pb2.TranscribeResponse(final=final)
