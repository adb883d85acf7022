import pytest

from services.orchestrator.edge.plain.keepalive import Keepalive, SilentPeerError


def test_a_client_is_asked_every_interval() -> None:
    keepalive = Keepalive(30.0, now=100.0)
    assert keepalive.poll(129.9) is None
    assert keepalive.poll(130.0) == 1
    assert keepalive.wake_at == 160.0
    assert keepalive.poll(130.1) is None
    keepalive.heard()
    assert keepalive.poll(160.0) == 2


def test_a_client_that_says_nothing_from_one_ping_to_the_next_is_gone() -> None:
    keepalive = Keepalive(30.0, now=0.0)
    keepalive.heard()
    keepalive.poll(30.0)
    with pytest.raises(SilentPeerError, match="30 s"):
        keepalive.poll(60.0)


def test_a_client_need_not_have_said_anything_before_it_is_asked() -> None:
    assert Keepalive(30.0, now=0.0).poll(30.0) == 1
