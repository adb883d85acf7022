"""The language model stage: its engine and its servicer put together."""

from voxfleet.llm.v1 import llm_pb2, llm_pb2_grpc

from chassis.server import Stage
from services.llm.engines import create
from services.llm.servicer import LanguageModelServicer
from services.llm.settings import Settings

SERVICE: str = llm_pb2.DESCRIPTOR.services_by_name["LanguageModelService"].full_name


async def build(settings: Settings) -> Stage:
    """The stage that the settings describe, not started. Raises UnknownEngineError."""
    engine = create(settings)
    servicer = LanguageModelServicer(engine, settings)
    return Stage(
        "llm",
        SERVICE,
        engine,
        lambda server: llm_pb2_grpc.add_LanguageModelServiceServicer_to_server(servicer, server),
        engine.load,
    )
