"""The metrics endpoint."""

import socket
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Counter

from chassis.metrics import STAGE_LATENCY, MetricsServer
from tests.support.metrics import value_of


def scrape(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        text: str = response.read().decode()
    return text


def test_metrics_are_served_until_the_server_is_closed() -> None:
    registry = CollectorRegistry()
    Counter("voxfleet_tried", "Tries", registry=registry).inc(3)
    server = MetricsServer("127.0.0.1", 0, registry)
    try:
        assert server.port > 0
        assert "voxfleet_tried_total 3.0" in scrape(server.port)
    finally:
        server.close()
    with pytest.raises(URLError):
        scrape(server.port)


def test_a_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder, pytest.raises(OSError, match="in use"):
        MetricsServer("127.0.0.1", holder.getsockname()[1], CollectorRegistry())


def test_latency_is_told_apart_where_people_tell_it_apart() -> None:
    STAGE_LATENCY.labels("metrics_test").observe(0.45)

    def at_most(seconds: str) -> float:
        return value_of(STAGE_LATENCY, "_bucket", stage="metrics_test", le=seconds)

    assert (at_most("0.4"), at_most("0.5")) == (0, 1)
