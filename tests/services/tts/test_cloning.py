"""A voice to imitate, over real gRPC, on an engine that cannot."""

import grpc.aio
import pytest
from voxfleet.tts.v1.tts_pb2 import ReferenceVoice, SynthesizeRequest

from chassis.errors import Code
from chassis.grpc_errors import from_rpc_error
from tests.services.tts.client import config, send

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFERENCE = ReferenceVoice(wav=b"RIFF", text="Hello.")


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (config(reference=REFERENCE), "CLONING_UNSUPPORTED", "reference"),
        (config(voice="heart", reference=REFERENCE), "INVALID_FIELD", "voice"),
    ],
)
async def test_a_voice_that_cannot_be_imitated_is_an_error_that_says_so(
    channel: grpc.aio.Channel, request_: SynthesizeRequest, reason: str, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await send(channel, [request_])
    error = from_rpc_error(raised.value, "tts")
    assert (error.code, error.reason, error.field) == (Code.INVALID_ARGUMENT, reason, field)
