"""Which web pages may talk to the server: the `Origin` header (RFC 6454) against its own name and a list. Pure.

A browser sends the header with every WebSocket handshake and every request that could do harm, whatever page asks;
programs send none.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

ANY = "*"
_OPAQUE = "null"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s,*]*")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def normal(origin: str) -> str:
    """An origin as browsers write it: lower case, no trailing slash, no default port."""
    scheme, separator, authority = origin.strip().lower().partition("://")
    if not separator:
        return scheme
    return f"{scheme}://{_without_default_port(authority.removesuffix('/'), scheme)}"


def _without_default_port(authority: str, scheme: str) -> str:
    return authority.removesuffix(_DEFAULT_PORTS.get(scheme, "\0"))


def _entry(value: str) -> str:
    origin = normal(value)
    if origin not in (ANY, _OPAQUE) and not _ORIGIN.fullmatch(origin):
        raise ValueError(f"expected origins such as https://voice.example.com, or {_OPAQUE}, or {ANY} for any")
    return origin


def _split(value: object) -> object:
    return tuple(part for part in value.split(",") if part.strip()) if isinstance(value, str) else value


AllowedOrigins = Annotated[tuple[Annotated[str, AfterValidator(_entry)], ...], NoDecode, BeforeValidator(_split)]
"""Settings field: origins, comma-separated; normal ones only."""


def is_loopback(host: str) -> bool:
    """Whether an address or a host name, with or without a port, can only be this machine itself."""
    name = _name(host.lower())
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _name(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0] if authority.count(":") == 1 else authority


class Origins:
    """The pages that may talk to the server: its own, and those of `allowed`.

    `local` is for a server that asks nobody for a key because only its own machine reaches it: its own pages are then
    those under a loopback name only. Else a page of anybody's, whose name is made to resolve to 127.0.0.1 for a moment
    (DNS rebinding), would be of the same origin.
    """

    def __init__(self, allowed: Collection[str], *, local: bool) -> None:
        self._allowed = frozenset(allowed)
        self._local = local

    def allow(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with these `Origin` and `Host` headers may pass. None: the header is not there.

        Schemes are not compared: behind a proxy that ends TLS the server does not know its own.
        """
        if origin is None or ANY in self._allowed:
            return True
        asked = normal(origin)
        if asked in self._allowed:
            return True
        scheme, separator, authority = asked.partition("://")
        if not separator or not authority or host is None:
            return False
        return authority == _without_default_port(host.strip().lower(), scheme) and (
            not self._local or is_loopback(authority)
        )
