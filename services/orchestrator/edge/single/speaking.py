"""A text spoken by the text-to-speech stage alone, as PCM s16le mono at 24 kHz."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from voxfleet.tts.v1 import tts_pb2

from chassis.context import CallContext
from chassis.resampling import Resampler
from services.orchestrator.clients import Stages
from services.orchestrator.edge.realtime.updates import voice as fleet_voice
from services.orchestrator.languages import reply_language
from services.orchestrator.sentences import ClauseSplitter

RATE = 24_000
"""Samples a second of the audio, in hertz, whatever the voice's own rate is."""
MAX_CHARACTERS = 4_096
"""Longest text of one request; all of it fits into the stream's first flow-control window of 64 KiB."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What to say and how. `voice` empty: the default of the language; `language` empty: told by the text's script."""

    text: str
    voice: str = ""
    language: str = ""
    speed: float = 1.0

    def config(self, default_language: str) -> tts_pb2.SynthesizeConfig:
        """The stage's config. A voice without a language speaks its own."""
        voice = fleet_voice(self.voice)
        language = self.language
        if not voice and not language:
            language = reply_language(self.text, default_language)
        return tts_pb2.SynthesizeConfig(voice=voice, language=language, speed=self.speed)


async def speak(stages: Stages, context: CallContext, speech: Speech, default_language: str) -> AsyncGenerator[bytes]:
    """The audio as soon as the stage sends it. Closing the generator frees the stream. Raises StageError."""
    splitter = ClauseSplitter()
    async with stages.synthesize(context) as call:
        await call.send(tts_pb2.SynthesizeRequest(config=speech.config(default_language)))
        for clause in (*splitter.push(speech.text), *splitter.flush()):
            await call.send(tts_pb2.SynthesizeRequest(text=clause))
        await call.finish()
        resampler = Resampler(RATE, RATE)
        async for response in call:
            match response.WhichOneof("event"):
                case "format":
                    resampler = Resampler(response.format.sample_rate_hz, RATE)
                case "audio":
                    if pcm := resampler.push(response.audio.pcm):
                        yield pcm
        if rest := resampler.flush():
            yield rest
