"""API keys: how they are written in the settings, and how a presented one is compared. Pure."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

SECRET_PREFIX = "ek_"  # noqa: S105 - what a client secret begins with, not one
"""What every client secret begins with; no API key may."""

# What RFC 6750 lets follow `Bearer`. The lower bound keeps keys out of reach of guessing: client secrets may be signed
# with a key that is derived from them, and whoever holds a client secret can try guesses against it at leisure.
_KEY = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not _KEY.fullmatch(key) or key.startswith(SECRET_PREFIX):
        raise ValueError(
            "expected API keys of 16 to 512 letters, digits and - . _ ~ + /, each not beginning with "
            f"{SECRET_PREFIX}, got one of {len(key)} characters"
        )
    return value


def _split(value: object) -> object:
    """The keys of a comma-separated text. Wrapped here already, so that no error message can show them."""
    if not isinstance(value, str):
        return value
    return tuple(SecretStr(part.strip()) for part in value.split(",") if part.strip())


def _read(value: object) -> object:
    """The keys of the file at a path: one a line, empty lines and lines that begin with # left out."""
    if not isinstance(value, str | Path):
        return value
    if not str(value):
        return ()
    try:
        lines = [line.strip() for line in Path(value).read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"expected a readable text file: {problem}") from problem
    keys = tuple(SecretStr(line) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise ValueError("expected a file with an API key on a line of its own, got one without")
    return keys


def _wrapped(value: object) -> object:
    return SecretStr(value) if isinstance(value, str) else value


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("expected at least 32 characters")
    return value


ApiKey = Annotated[SecretStr, AfterValidator(_key)]
ApiKeys = Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_split)]
"""Settings field: keys, comma-separated."""
ApiKeysFile = Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_read)]
"""Settings field: the path of a file of keys; its value is the keys."""
SigningKey = Annotated[SecretStr, AfterValidator(_long), BeforeValidator(_wrapped)]
"""Settings field: the secret that client secrets are signed with."""


class KeyRing:
    """API keys, kept as digests only."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = sorted({_digest(key) for key in keys})

    def __bool__(self) -> bool:
        return bool(self._digests)

    def holds(self, key: str) -> bool:
        """Whether `key` is one of them. Takes as long for every key, so that time tells nothing about them."""
        digest = _digest(key)
        return sum(hmac.compare_digest(digest, own) for own in self._digests) > 0

    @property
    def material(self) -> bytes:
        """Bytes that only holders of all the keys know: the same for the same keys in any order."""
        return b"".join(self._digests)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
