"""What a server's refusals mean, and a stage's health where it hangs on something outside."""

import asyncio
from collections.abc import AsyncGenerator

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.errors import Code
from chassis.server import StageServer
from chassis.upstream import UpstreamRefusalError
from tests.support.echo_stage import ScriptedEngine, Settings, stage

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize(
    ("body", "said", "kind"),
    [
        ({"error": {"message": "too hot", "type": "server_error", "code": None}}, "too hot", "server_error"),
        ({"error": {"message": "too hot", "type": "x", "code": "thermal"}}, "too hot", "thermal"),
        ({"object": "error", "message": "too hot", "code": 400}, "too hot", "400"),
        ({"detail": "too hot"}, "too hot", ""),
        ({"error": "too hot"}, "too hot", ""),
        ({"detail": [{"loc": ["body"], "msg": "too hot"}]}, "[{'loc': ['body'], 'msg': 'too hot'}]", ""),
        (None, "", ""),
        (["too hot"], "", ""),
    ],
)
def test_what_a_server_says_is_found_in_every_form(body: object, said: str, kind: str) -> None:
    refusal = UpstreamRefusalError(400, body)
    assert (refusal.said, refusal.kind) == (said, kind)
    assert refusal.message == "the upstream server refused the request with status 400" + (f": {said}" if said else "")


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (302, Code.FAILED_PRECONDITION, "UPSTREAM_REFUSED"),
        (401, Code.FAILED_PRECONDITION, "UPSTREAM_KEY_REFUSED"),
        (402, Code.FAILED_PRECONDITION, "UPSTREAM_REFUSED"),
        (403, Code.FAILED_PRECONDITION, "UPSTREAM_KEY_REFUSED"),
        (404, Code.FAILED_PRECONDITION, "UPSTREAM_NOT_FOUND"),
        (422, Code.INVALID_ARGUMENT, "UPSTREAM_REFUSED"),
        (429, Code.RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMITED"),
        (529, Code.UNAVAILABLE, "UPSTREAM_FAILED"),
    ],
)
def test_a_status_has_a_meaning(status: int, code: Code, reason: str) -> None:
    refusal = UpstreamRefusalError(status, None)
    assert (refusal.code, refusal.reason) == (code, reason)


class HangingEngine(ScriptedEngine):
    """Ready and not as `changes` say; None is a failure of whoever looks."""

    def __init__(self) -> None:
        super().__init__()
        self.may_warm.set()
        self.changes: asyncio.Queue[bool | None] = asyncio.Queue()

    async def readiness(self) -> AsyncGenerator[bool]:
        while (ready := await self.changes.get()) is not None:
            yield ready
        raise RuntimeError("cannot look")


async def test_health_follows_an_engine_that_hangs_on_something_outside() -> None:
    engine, settings = HangingEngine(), Settings()
    server = StageServer(stage(engine, settings), settings)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel, asyncio.timeout(10):
            statuses = aiter(health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()))
            assert (await anext(statuses)).status == SERVING
            for change, status in ((False, NOT_SERVING), (True, SERVING), (None, NOT_SERVING)):
                engine.changes.put_nowait(change)
                assert (await anext(statuses)).status == status
    finally:
        await server.stop(0)
