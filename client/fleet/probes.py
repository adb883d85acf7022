"""Asking a server whether it is ready: gRPC health (`grpc.health.v1`) for stages, HTTP for the orchestrator."""

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 3.0
"""A check that takes longer counts as no answer. Long, because a machine whose cores all load models answers late."""


class Readiness(Enum):
    """What a server says of itself."""

    UNREACHABLE = "unreachable"
    WARMING = "warming"
    READY = "ready"


class Probe(Protocol):
    """Asks one server. Never raises for a server that is down, late or confused: those are answers."""

    async def check(self) -> Readiness:
        """The server's readiness now."""
        ...


@dataclass(frozen=True, slots=True)
class GrpcHealth:
    """The health of the whole server at `target` (`host:port`)."""

    target: str

    async def check(self) -> Readiness:
        """READY where it is SERVING, WARMING where it answers anything else."""
        # Not grpc.aio: its last channel to be closed joins gRPC's poller thread in the event loop.
        return await asyncio.to_thread(self._check)

    def _check(self) -> Readiness:
        # A channel of its own each time: a shared one would still be backing off from the last refused connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.target, options=options) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                silent = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                return Readiness.UNREACHABLE if cast("grpc.Call", error).code() in silent else Readiness.WARMING
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return Readiness.READY if serving else Readiness.WARMING


@dataclass(frozen=True, slots=True)
class HttpReady:
    """`GET path` on `target` (`host:port`)."""

    target: str
    path: str = "/readyz"

    async def check(self) -> Readiness:
        """READY for status 200, WARMING for any other."""
        host, _, port = self.target.rpartition(":")
        request = f"GET {self.path} HTTP/1.1\r\nHost: {self.target}\r\nConnection: close\r\n\r\n"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
                try:
                    writer.write(request.encode())
                    status_line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return Readiness.UNREACHABLE
        return Readiness.READY if status_line.split()[1:2] == [b"200"] else Readiness.WARMING
