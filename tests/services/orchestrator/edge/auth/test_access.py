"""Who may do what."""

import pytest

from services.orchestrator.edge.auth.access import (
    EXPIRED_SECRET,
    INVALID_SECRET,
    MISSING,
    SESSION_PATHS,
    SESSIONS_ONLY,
    UNUSABLE_SECRET,
    WRONG,
    Access,
    Attempt,
    Grant,
    Holder,
    Refusal,
)
from services.orchestrator.settings import Settings

KEY = "sk-0123456789abcdef"
NOW = 1_800_000_000.0
OPEN = Access.of(Settings())
CLOSED = Access.of(Settings(api_keys=KEY))


def secret(access: Access, seconds: float = 600, session: bytes = b'{"type":"realtime","model":"m"}') -> str:
    return access.client_secrets.issue(session, int(NOW + seconds))


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/console/app.js"])
def test_what_is_public_needs_no_key_from_nobody(path: str) -> None:
    attempt = Attempt(path, origin="http://evil.example", host="voice.example.com")
    assert CLOSED.decide(attempt, NOW) == Grant(Holder.ANYBODY)


@pytest.mark.parametrize("path", ["/v1/realtime", "/v1/models", "/realtime", "/nowhere", "/metrics/", "//", ""])
def test_everything_else_needs_one(path: str) -> None:
    assert CLOSED.decide(Attempt(path), NOW) == MISSING
    assert CLOSED.decide(Attempt(path, key="sk-wrong"), NOW) == WRONG
    assert CLOSED.decide(Attempt(path, key=KEY), NOW) == Grant(Holder.API_KEY)


def test_where_none_is_needed_any_will_do() -> None:
    for key in (None, "sk-whatever", KEY):
        assert OPEN.decide(Attempt("/v1/realtime", key=key), NOW) == Grant(Holder.ANYBODY)


@pytest.mark.parametrize("access", [OPEN, CLOSED])
@pytest.mark.parametrize("path", sorted(SESSION_PATHS))
def test_a_client_secret_opens_a_session_and_says_what_it_is(access: Access, path: str) -> None:
    grant = access.decide(Attempt(path, key=secret(access)), NOW)
    assert isinstance(grant, Grant)
    assert grant.holder is Holder.CLIENT_SECRET
    assert grant.session is not None
    assert grant.session.model == "m"


@pytest.mark.parametrize("access", [OPEN, CLOSED])
@pytest.mark.parametrize("path", ["/v1/realtime/client_secrets", "/v1/chat/completions", "/ws/stt", "/v1/realtime/"])
def test_a_client_secret_is_good_for_nothing_else(access: Access, path: str) -> None:
    assert access.decide(Attempt(path, key=secret(access)), NOW) == SESSIONS_ONLY


@pytest.mark.parametrize("access", [OPEN, CLOSED])
def test_a_secret_that_does_not_hold_is_refused_even_where_none_is_needed(access: Access) -> None:
    def decide(key: str) -> Grant | Refusal:
        return access.decide(Attempt("/v1/realtime", key=key), NOW)

    assert decide(secret(access, seconds=-1)) == EXPIRED_SECRET
    assert decide(secret(Access.of(Settings()))) == INVALID_SECRET
    assert decide("ek_from-elsewhere") == INVALID_SECRET
    assert decide(secret(access, session=b'{"type":"realtime","from_the_future":1}')) == UNUSABLE_SECRET


def test_replicas_with_the_same_keys_or_the_same_signing_key_take_each_others_secrets() -> None:
    assert isinstance(Access.of(Settings(api_keys=KEY)).decide(Attempt("/v1/realtime", key=secret(CLOSED)), NOW), Grant)
    one = Access.of(Settings(secret_key="k" * 32))
    other = Access.of(Settings(secret_key="k" * 32, api_keys=KEY))
    stranger = Access.of(Settings(secret_key="q" * 32, api_keys=KEY))
    attempt = Attempt("/v1/realtime", key=secret(one))
    assert isinstance(other.decide(attempt, NOW), Grant)
    assert stranger.decide(attempt, NOW) == INVALID_SECRET


def test_a_page_of_anybodys_is_refused_with_or_without_a_key() -> None:
    for access in (OPEN, CLOSED):
        attempt = Attempt("/v1/realtime", key=KEY, origin="http://evil.example", host="localhost:8000")
        refusal = access.decide(attempt, NOW)
        assert isinstance(refusal, Refusal)
        assert (refusal.status, refusal.code) == (403, "origin_not_allowed")
        assert "VOXFLEET_ORCHESTRATOR_ALLOWED_ORIGINS" in refusal.message


def test_a_rebound_name_passes_only_where_a_key_is_asked_for_too() -> None:
    attempt = Attempt("/v1/realtime", key=KEY, origin="http://evil.example:8000", host="evil.example:8000")
    assert isinstance(OPEN.decide(attempt, NOW), Refusal)
    assert CLOSED.decide(attempt, NOW) == Grant(Holder.API_KEY)


def test_an_attempt_does_not_show_its_key() -> None:
    assert KEY not in repr(Attempt("/v1/realtime", key=KEY))
