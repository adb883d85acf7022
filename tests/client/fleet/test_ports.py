import socket

import pytest

from client.fleet.ports import PortClaim, free_ports


def test_a_port_that_somebody_listens_on_is_named_with_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        problem = PortClaim("127.0.0.1", port, "VOXFLEET_LLM_PORT").problem()
    assert problem == f"port {port} on 127.0.0.1 is already in use; VOXFLEET_LLM_PORT chooses another"


def test_a_port_whose_last_connections_linger_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first keeps the connection in TIME_WAIT
        client.close()
    assert PortClaim("127.0.0.1", port, "X").problem() is None


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    problem = PortClaim("192.0.2.1", 8000, "VOXFLEET_ORCHESTRATOR_PORT").problem()
    assert problem is not None
    assert "192.0.2.1:8000" in problem


@pytest.mark.parametrize(
    ("host", "target"),
    [("127.0.0.1", "127.0.0.1:80"), ("0.0.0.0", "127.0.0.1:80"), ("::", "[::1]:80"), ("10.0.0.7", "10.0.0.7:80")],
)
def test_a_server_on_every_address_is_reached_over_loopback(host: str, target: str) -> None:
    assert PortClaim(host, 80, "X").target == target


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(PortClaim("127.0.0.1", port, "X").problem() is None for port in ports)
