import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from client.fleet.ports import free_ports
from client.fleet.probes import GrpcHealth, HttpReady, Readiness

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextmanager
def grpc_server(status: int | None, port: int = 0) -> Iterator[str]:
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        if status is not None:
            servicer = health.HealthServicer()
            servicer.set("", status)
            health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


@pytest.mark.parametrize(
    ("status", "readiness"),
    [
        (SERVING, Readiness.READY),
        (NOT_SERVING, Readiness.WARMING),
        (None, Readiness.WARMING),  # a gRPC server, but without the health service
    ],
)
def test_grpc_health_is_read_as_it_is_meant(status: int | None, readiness: Readiness) -> None:
    with grpc_server(status) as target:
        assert asyncio.run(GrpcHealth(target).check()) is readiness


def test_grpc_health_notices_a_server_at_the_next_check() -> None:
    port = free_ports(1)[0]
    probe = GrpcHealth(f"127.0.0.1:{port}")
    for _ in range(5):
        assert asyncio.run(probe.check()) is Readiness.UNREACHABLE
    with grpc_server(SERVING, port):
        assert asyncio.run(probe.check()) is Readiness.READY


@asynccontextmanager
async def http_server(answer: bytes) -> AsyncIterator[str]:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "readiness"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n{}", Readiness.READY),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Readiness.WARMING),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Readiness.WARMING),
        (b"220 mail ready\r\n", Readiness.WARMING),
        (b"", Readiness.WARMING),
    ],
)
async def test_an_http_answer_is_ready_only_with_status_200(answer: bytes, readiness: Readiness) -> None:
    async with http_server(answer) as target:
        assert await HttpReady(target).check() is readiness


async def test_nobody_listening_is_unreachable() -> None:
    assert await HttpReady(f"127.0.0.1:{free_ports(1)[0]}").check() is Readiness.UNREACHABLE
