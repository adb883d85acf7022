"""What a peer offers in SDP, and what of the answer is ours to say. Pure; the parser is aiortc's.

An answer holds all of the server's candidates; those of the peer need not be in its offer. Browsers send theirs later
or hide them behind names in `.local` that only their own network can resolve, and it makes no difference: the peer's
checks arrive from where it is, and are answered there (peer-reflexive candidates, RFC 8445 section 7.3.1.3).
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address

from aiortc.sdp import SessionDescription

from services.orchestrator.edge.errors import ApiError

MAX_SDP_BYTES = 64 << 10
# Each is an address that connectivity checks are sent to.
_MAX_CANDIDATES = 64
# What a data channel takes that does not say (RFC 8841), and what an event needs that says why another was too large.
_DEFAULT_MESSAGE_BYTES = 65_536
_MIN_MESSAGE_BYTES = 1_024
_HOST_CANDIDATE = re.compile(r"(?m)^(?P<head>a=candidate:\S+ \d \S+ \d+ )(?P<address>\S+)(?P<tail> \d+ typ host.*)$")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered. `sdp` is without what would delay or end the search for a path; `speaks` says
    whether the peer sends audio, `has_channel` whether it can have a data channel."""

    sdp: str
    speaks: bool
    has_channel: bool


def read_offer(sdp: str) -> Offer:
    """What a peer offers. Raises ApiError (400) where it cannot be answered."""
    lines = [line for line in re.split("\r\n|\n", sdp) if line]
    if not lines or lines[0] != "v=0":
        raise ApiError.invalid("sdp", "an SDP offer, whose first line is v=0")
    reachable = [line for line in lines if not _is_unreachable(line)]
    if sum(line.startswith("a=candidate:") for line in reachable) > _MAX_CANDIDATES:
        raise ApiError.invalid("sdp", f"at most {_MAX_CANDIDATES} candidates")
    cleaned = "\r\n".join(reachable) + "\r\n"
    offer = _parsed(cleaned)
    audio = [media for media in offer.media if media.kind == "audio"]
    channels = [media for media in offer.media if media.kind == "application"]
    if len(audio) != 1:
        raise ApiError.invalid("sdp", f"one audio section, got {len(audio)}")
    if len(channels) > 1 or len(offer.media) != len(audio) + len(channels):
        kinds = ", ".join(media.kind for media in offer.media)
        raise ApiError.invalid("sdp", f"one audio section and at most one data channel, got {kinds}")
    names = [media.rtp.muxId for media in offer.media]
    if "" in names or len(set(names)) < len(names):
        raise ApiError.invalid("sdp", "a=mid for each section, all different")
    bundled = {name for group in offer.group if group.semantic == "BUNDLE" for name in group.items}
    if not bundled <= set(names):
        raise ApiError.invalid("sdp", "a=group:BUNDLE with the names of sections")
    if not any(codec.mimeType.lower() == "audio/opus" for codec in audio[0].rtp.codecs):
        raise ApiError.invalid("sdp", "an audio section with Opus")
    if audio[0].direction not in ("sendrecv", "recvonly"):
        raise ApiError.invalid("sdp", f"an audio section that is sendrecv or recvonly, got {audio[0].direction}")
    for media in offer.media:
        if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
            raise ApiError.invalid("sdp", "a=ice-ufrag and a=ice-pwd for each section")
        if media.dtls is None or not media.dtls.fingerprints:
            raise ApiError.invalid("sdp", "a=fingerprint for each section")
    for media in channels:
        size = _DEFAULT_MESSAGE_BYTES if media.sctpCapabilities is None else media.sctpCapabilities.maxMessageSize
        if 0 < size < _MIN_MESSAGE_BYTES:
            raise ApiError.invalid("sdp", f"a=max-message-size of at least {_MIN_MESSAGE_BYTES}, got {size}")
    if not audio[0].rtcp_mux:
        raise ApiError.invalid("sdp", "a=rtcp-mux in the audio section")
    return Offer(cleaned, audio[0].direction == "sendrecv", bool(channels))


def announcing(sdp: str, address: str) -> str:
    """`sdp` with `address` in the place of the host's own ones of the same kind, IPv4 or IPv6."""
    version = ip_address(address).version

    def announced(found: re.Match[str]) -> str:
        own = ip_address(found["address"])
        return found[0] if own.version != version else f"{found['head']}{address}{found['tail']}"

    return re.sub(
        r"(?m)^(?P<head>a=candidate:\S+ \d \S+ \d+ )(?P<address>\S+)(?P<tail> \d+ typ host.*)$", announced, sdp
    )


def _is_unreachable(line: str) -> bool:
    if line.startswith("a=end-of-candidates"):
        return True
    return line.startswith("a=candidate:") and ".local " in line


def _parsed(sdp: str) -> SessionDescription:
    try:
        return SessionDescription.parse(sdp)
    except Exception as problem:
        # The parser takes a line apart and trips over what it finds: no few kinds of errors are its way to say so.
        raise ApiError.invalid("sdp", f"an SDP offer: {problem!r}") from problem
