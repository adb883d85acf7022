"""Which pages may talk to the server."""

import pytest

from services.orchestrator.edge.auth.origins import Origins, is_loopback


@pytest.mark.parametrize("local", [False, True])
def test_a_program_sends_no_origin_and_may_pass(local: bool) -> None:
    assert Origins((), local=local).allow(None, "voice.example.com")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://voice.example.com", "voice.example.com"),
        ("http://voice.example.com:8000", "voice.example.com:8000"),
        # Behind a proxy that ends TLS, and from a client that writes out the port.
        ("https://voice.example.com", "voice.example.com"),
        ("https://voice.example.com", "voice.example.com:443"),
        ("http://Voice.Example.com", "voice.example.com:80"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_servers_own_pages_may_pass(origin: str, host: str) -> None:
    assert Origins((), local=False).allow(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "voice.example.com"),
        ("http://voice.example.com:8001", "voice.example.com:8000"),
        ("http://voice.example.com.evil.example", "voice.example.com"),
        ("http://localhost:3000", "localhost:8000"),
        ("null", "voice.example.com"),
        ("null", "null"),
        ("file://", "voice.example.com"),
        ("file://", ""),
        ("", "voice.example.com"),
        ("voice.example.com", "voice.example.com"),
        ("http://voice.example.com", None),
    ],
)
def test_pages_of_others_may_not(origin: str, host: str | None) -> None:
    assert not Origins((), local=False).allow(origin, host)


def test_pages_that_are_listed_may_pass() -> None:
    origins = Origins(("https://app.example.com", "null", "file://"), local=True)
    for origin in ("https://app.example.com", "https://App.example.com:443", "null", "file://"):
        assert origins.allow(origin, "localhost:8000")
    assert not origins.allow("http://app.example.com", "localhost:8000")


def test_a_star_lets_every_page_pass() -> None:
    origins = Origins(("*",), local=True)
    assert origins.allow("http://evil.example", "localhost:8000")
    assert origins.allow("null", None)


@pytest.mark.parametrize("name", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "console.localhost:8000"])
def test_a_local_servers_pages_are_those_under_a_loopback_name(name: str) -> None:
    assert Origins((), local=True).allow(f"http://{name}", name)


def test_a_name_that_was_made_to_point_here_is_not_the_local_servers_own() -> None:
    assert not Origins((), local=True).allow("http://evil.example:8000", "evil.example:8000")
    assert Origins((), local=False).allow("http://evil.example:8000", "evil.example:8000")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9:8000", True),
        ("::1", True),
        ("[::1]", True),
        ("[::1]:8000", True),
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("a.localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.2", False),
        ("example.com", False),
        ("127.0.0.1.example.com", False),
        ("notlocalhost", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_a_loopback_name_is_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
