"""The speech-to-text stage: its engine and its servicer put together."""

from voxfleet.stt.v1 import stt_pb2, stt_pb2_grpc

from chassis.server import Stage
from services.stt.engines import create
from services.stt.servicer import SpeechToTextServicer
from services.stt.settings import Settings

SERVICE: str = stt_pb2.DESCRIPTOR.services_by_name["SpeechToTextService"].full_name


async def build(settings: Settings) -> Stage:
    """The stage that the settings describe, not started. Raises UnknownEngineError."""
    engine = create(settings)
    servicer = SpeechToTextServicer(engine, settings)
    return Stage(
        "stt",
        SERVICE,
        engine,
        lambda server: stt_pb2_grpc.add_SpeechToTextServiceServicer_to_server(servicer, server),
    )
