"""`python -m chassis.probe WHERE`: the health check of a container. Exits with status 0 where the server is healthy.

WHERE is `host:port` of a stage, whose health of the whole server (`grpc.health.v1`, service "") must be SERVING, or an
`http://` URL, which must answer 200.
"""

import argparse
import sys
from collections.abc import Sequence
from http.client import HTTPException
from typing import cast
from urllib.request import urlopen

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 4.0
"""Less than what a health check may take, so that its output says why it failed."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0 healthy, 1 not; then one line on standard error says why."""
    parser = argparse.ArgumentParser(
        prog="python -m chassis.probe", description="Asks one server whether it is healthy."
    )
    parser.add_argument("where", help="host:port of a stage, or an http:// URL")
    where: str = parser.parse_args(argv).where
    reason = _http(where) if where.startswith("http://") else _grpc(where)
    if reason:
        sys.stderr.write(f"{where}: {reason}\n")
    return 1 if reason else 0


def _grpc(target: str) -> str:
    """Why the server is not healthy; empty where it is."""
    with grpc.insecure_channel(target) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return f"no health: {cast('grpc.Call', error).code().name}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    return f"expected SERVING, got {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"


def _http(url: str) -> str:
    """Why the server is not healthy; empty where it is."""
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  # http:// only, see main
            status = answer.status
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    return "" if status == 200 else f"expected status 200, got {status}"


if __name__ == "__main__":
    sys.exit(main())
