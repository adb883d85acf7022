"""Where a client may put its key: `Authorization: Bearer`, or, from a browser, a WebSocket subprotocol. Pure."""

from collections.abc import Sequence

SUBPROTOCOL = "realtime"
"""The subprotocol that the server answers with, and the only one."""
KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""What a browser puts before its key: pages cannot set headers of a WebSocket handshake."""


def presented(authorization: str | None, subprotocols: Sequence[str] = ()) -> str | None:
    """The key that a request presents, None where it presents none. The header comes before the subprotocols.

    A scheme other than Bearer (RFC 6750) counts as none: a proxy in front may have put it there for itself.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for offered in subprotocols:
        if offered.startswith(KEY_SUBPROTOCOL) and len(offered) > len(KEY_SUBPROTOCOL):
            return offered.removeprefix(KEY_SUBPROTOCOL)
    return None


def without_keys(subprotocols: Sequence[str]) -> list[str]:
    """The subprotocols that are protocols."""
    return [offered for offered in subprotocols if not offered.startswith(KEY_SUBPROTOCOL)]
