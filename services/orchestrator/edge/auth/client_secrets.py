"""Client secrets: short-lived keys that carry the session they are for, signed, so that no server has to keep them.

`ek_` and, in base64url (RFC 4648) without padding: version (1 byte), expiry (8 bytes, seconds since the epoch, big
endian), nonce (8 bytes), the session's JSON (raw DEFLATE, RFC 1951), HMAC-SHA256 of all that (32 bytes). What is inside
is signed, not hidden: the client that holds a secret can read it. Pure but for the nonce.
"""

import base64
import hmac
import secrets
import struct
import zlib

from services.orchestrator.edge.auth.keys import SECRET_PREFIX

SHORTEST_S = 10
LONGEST_S = 7_200
DEFAULT_S = 600
"""For how long a secret may be asked for, and for how long it is where nothing is said; OpenAI's own figures."""
MAX_SESSION_BYTES = 256 << 10
"""Most JSON that a secret may carry, in bytes before compression."""
MAX_SECRET_CHARS = 6_000
"""Longest secret: it travels in a header, and servers and proxies give a header 8 KiB."""

_HEAD = struct.Struct(">BQ8s")
_VERSION = 1
_MAC_BYTES = 32
_RAW_DEFLATE = -zlib.MAX_WBITS
_PURPOSE = b"voxfleet client secret"


class InvalidSecretError(Exception):
    """Not a secret that was signed with this key."""


class ExpiredSecretError(Exception):
    """A secret of ours whose time is over."""


class OversizedSessionError(Exception):
    """A session that does not fit into a secret."""


class ClientSecrets:
    """Issues and opens client secrets. `material` is the secret that the signing key is derived from."""

    def __init__(self, material: bytes) -> None:
        self._key = hmac.digest(_PURPOSE, material, "sha256")

    def issue(self, session: bytes, expires_at: int) -> str:
        """A secret with `session` (JSON), valid before `expires_at` (seconds since the epoch).

        Raises OversizedSessionError.
        """
        if len(session) > MAX_SESSION_BYTES:
            raise OversizedSessionError(f"at most {MAX_SESSION_BYTES >> 10} KiB of JSON, got {len(session)} bytes")
        compressor = zlib.compressobj(9, wbits=_RAW_DEFLATE)
        body = _HEAD.pack(_VERSION, expires_at, secrets.token_bytes(8))
        body += compressor.compress(session) + compressor.flush()
        value = SECRET_PREFIX + _encode(body + hmac.digest(self._key, body, "sha256"))
        if len(value) > MAX_SECRET_CHARS:
            message = f"a session that makes a secret of at most {MAX_SECRET_CHARS} characters, got {len(value)}"
            raise OversizedSessionError(message)
        return value

    def open(self, value: str, now: float) -> bytes:
        """The session (JSON) in a secret. `now` in seconds since the epoch.

        Raises InvalidSecretError, ExpiredSecretError.
        """
        blob = _decode(value)
        body, mac = blob[:-_MAC_BYTES], blob[-_MAC_BYTES:]
        # The signature before all else: nothing that is not ours is taken apart.
        if not hmac.compare_digest(hmac.digest(self._key, body, "sha256"), mac):
            raise InvalidSecretError
        version, expires_at, _ = _HEAD.unpack_from(body)
        if version != _VERSION:
            raise InvalidSecretError
        if now >= expires_at:
            raise ExpiredSecretError
        return zlib.decompress(body[_HEAD.size :], wbits=_RAW_DEFLATE)


def _encode(blob: bytes) -> str:
    return base64.urlsafe_b64encode(blob).rstrip(b"=").decode("ascii")


def _decode(value: str) -> bytes:
    """The bytes of a secret, at least a head and a signature. One value only stands for the same bytes."""
    text = value.removeprefix(SECRET_PREFIX)
    try:
        blob = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as problem:
        raise InvalidSecretError from problem
    if len(value) > MAX_SECRET_CHARS or SECRET_PREFIX + _encode(blob) != value or len(blob) < _HEAD.size + _MAC_BYTES:
        raise InvalidSecretError
    return blob
