"""The text-to-speech stage: its engine and its servicer put together."""

from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc

from chassis.errors import StageError
from chassis.server import Stage
from services.tts.engines import create
from services.tts.servicer import TextToSpeechServicer
from services.tts.settings import Settings

SERVICE: str = tts_pb2.DESCRIPTOR.services_by_name["TextToSpeechService"].full_name


async def build(settings: Settings) -> Stage:
    """The stage that the settings describe, not started.

    Raises UnknownEngineError, and ValueError where a default voice or language is none of the engine's.
    """
    engine = create(settings)
    try:
        engine.voices.choose("", "", settings.language, {})
    except StageError as error:
        raise ValueError(f"VOXFLEET_TTS_LANGUAGE: {error.message}") from error
    for language, voice in settings.default_voices.items():
        try:
            engine.voices.choose(voice, "", settings.language, {})
        except StageError as error:
            raise ValueError(f"VOXFLEET_TTS_VOICE_{language.upper()}: {error.message}") from error
    servicer = TextToSpeechServicer(engine, settings)
    return Stage(
        "tts", SERVICE, engine, lambda server: tts_pb2_grpc.add_TextToSpeechServiceServicer_to_server(servicer, server)
    )
