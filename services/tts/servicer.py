"""The text-to-speech service over gRPC."""

import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio
from voxfleet.audio.v1 import audio_pb2
from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc

from chassis.errors import StageError
from chassis.grpc_errors import to_status
from chassis.streams import read_config, read_rest
from services.tts.engines.base import Cloner, Engine, Session
from services.tts.settings import Settings
from services.tts.voices import Voice

MIN_SPEED, MAX_SPEED = 0.25, 4.0
MAX_TEXT_CHARS = 2000


class TextToSpeechServicer(tts_pb2_grpc.TextToSpeechServiceServicer):
    """Connects streams to the engine. Text is read no faster than it is spoken: the client waits in gRPC."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    async def Synthesize(
        self,
        request_iterator: AsyncIterator[tts_pb2.SynthesizeRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
        """See tts.proto."""
        first = await read_config(request_iterator, self._settings.idle_timeout_s)
        voice, session = self._open(first.config)
        yield tts_pb2.SynthesizeResponse(
            format=audio_pb2.AudioFormat(
                encoding=audio_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=voice.sample_rate_hz, channels=1
            )
        )
        async for _, request in read_rest(request_iterator, self._settings.idle_timeout_s):
            _require_text(request.text)
            async with aclosing(session.speak(request.text)) as pieces:
                async for speech in pieces:
                    yield tts_pb2.SynthesizeResponse(
                        audio=tts_pb2.Audio(pcm=speech.pcm, text_start=speech.text_start, text_end=speech.text_end)
                    )

    async def ListVoices(
        self,
        request: tts_pb2.ListVoicesRequest,
        context: Any,
    ) -> tts_pb2.ListVoicesResponse:
        """See tts.proto."""
        try:
            voices = self._engine.voices.of(request.language)
        except StageError as error:
            await context.abort_with_status(to_status(error))
            raise
        return tts_pb2.ListVoicesResponse(
            voices=[
                tts_pb2.Voice(name=voice.name, language=voice.language, sample_rate_hz=voice.sample_rate_hz)
                for voice in voices
            ]
        )

    def _open(self, config: tts_pb2.SynthesizeConfig) -> tuple[Voice, Session]:
        speed = config.speed if config.HasField("speed") else 1.0
        if not (math.isfinite(speed) and MIN_SPEED <= speed <= MAX_SPEED):
            raise StageError.invalid("speed", f"{MIN_SPEED:g} to {MAX_SPEED:g}; got {speed:g}")
        voice, language = self._engine.voices.choose(
            config.voice, config.language, self._settings.language, self._settings.default_voices
        )
        if not config.HasField("reference"):
            return voice, self._engine.session(voice.name, language, speed)
        if config.voice:
            raise StageError.invalid("voice", f"nothing beside a reference, got {config.voice!r}")
        if not isinstance(self._engine, Cloner):
            expected = "nothing: this engine cannot imitate a voice; name one of its own"
            raise StageError.invalid("reference", expected, reason="CLONING_UNSUPPORTED")
        return voice, self._engine.clone(config.reference.wav, config.reference.text, language, speed)


def _require_text(text: str) -> None:
    if not 1 <= len(text) <= MAX_TEXT_CHARS:
        raise StageError.invalid("text", f"1 to {MAX_TEXT_CHARS} characters; got {len(text)}")
