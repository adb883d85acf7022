"""A container's health check against real servers."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from chassis.probe import main
from client.fleet.ports import free_ports

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextmanager
def stage(status: int | None) -> Iterator[str]:
    """A gRPC server; None: one without the health service."""
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        if status is not None:
            servicer = health.HealthServicer()
            servicer.set("", status)
            health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


@contextmanager
def http(status: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/healthz"
        finally:
            server.shutdown()
            serving.join()


def test_a_stage_that_serves_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    with stage(SERVING) as target:
        assert main([target]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("status", "reason"), [(NOT_SERVING, "expected SERVING, got NOT_SERVING"), (None, "no health: UNIMPLEMENTED")]
)
def test_a_stage_that_warms_or_knows_no_health_is_not(
    status: int | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with stage(status) as target:
        assert main([target]) == 1
    assert reason in capsys.readouterr().err


def test_a_stage_that_is_gone_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"127.0.0.1:{free_ports(1)[0]}"]) == 1
    assert "no health: UNAVAILABLE" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (204, 1), (503, 1)])
def test_a_url_is_healthy_with_status_200_only(status: int, exit_status: int) -> None:
    with http(status) as url:
        assert main([url]) == exit_status


def test_a_url_that_nobody_serves_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"http://127.0.0.1:{free_ports(1)[0]}/healthz"]) == 1
    assert "refused" in capsys.readouterr().err


def test_it_is_a_command_with_an_exit_status() -> None:
    with stage(NOT_SERVING) as target:
        probe = subprocess.run([sys.executable, "-m", "chassis.probe", target], capture_output=True, check=False)
    assert probe.returncode == 1
    assert b"NOT_SERVING" in probe.stderr
