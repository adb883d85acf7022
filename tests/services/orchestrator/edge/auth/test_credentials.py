"""Where a key may stand in a request."""

import pytest

from services.orchestrator.edge.auth.credentials import presented, without_keys


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc ", " Bearer abc"])
def test_a_bearer_token_is_the_key_however_the_scheme_is_written(header: str) -> None:
    assert presented(header) == "abc"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "abc", "Bearerabc"])
def test_anything_else_in_the_header_is_no_key(header: str | None) -> None:
    assert presented(header) is None


def test_a_browser_puts_its_key_among_the_subprotocols() -> None:
    offered = ["realtime", "openai-insecure-api-key.abc", "openai-beta.realtime-v1"]
    assert presented(None, offered) == "abc"
    assert presented("Basic YTpi", offered) == "abc"
    assert without_keys(offered) == ["realtime", "openai-beta.realtime-v1"]


def test_the_header_comes_before_the_subprotocols() -> None:
    assert presented("Bearer header", ["openai-insecure-api-key.subprotocol"]) == "header"


def test_an_empty_key_among_the_subprotocols_is_none() -> None:
    assert presented(None, ["realtime", "openai-insecure-api-key."]) is None
