"""How the settings name what helps two peers to find a path between them. Pure."""

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator

_URL = re.compile(r"(stun|turn|turns):[^?:@/\s]+(:\d{1,5})?(\?transport=(udp|tcp))?")


def _address(value: str) -> str:
    if value:
        try:
            ip_address(value)
        except ValueError:
            raise ValueError(f"expected an IPv4 or IPv6 address, got {value!r}") from None
    return value


def _url(value: str) -> str:
    if value and not _URL.fullmatch(value):
        raise ValueError(f"expected stun:HOST[:PORT] or turn:HOST[:PORT][?transport=udp|tcp], got {value!r}")
    return value


AnnouncedAddress = Annotated[str, AfterValidator(_address)]
"""An IP address, or nothing."""
IceUrl = Annotated[str, AfterValidator(_url)]
"""A STUN (RFC 7064) or TURN (RFC 7065) URL, or nothing."""
