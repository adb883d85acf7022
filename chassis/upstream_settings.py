"""Settings of an engine that is a server elsewhere. Keys are wrapped at once, so that no message can show them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from chassis.http_limits import HttpLimits
from chassis.settings import StageSettings

_URL = re.compile(r"[\x21-\x7e]+")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


def _url(url: str) -> str:
    if not url:
        return url
    parts = urlsplit(url)
    if not _URL.fullmatch(url) or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address that begins with http:// or https://")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("expected an address without user, query and fragment")
    return url


def _wrapped(value: object) -> object:
    return SecretStr(value) if isinstance(value, str) else value


def _key(key: SecretStr | None) -> SecretStr | None:
    if key is not None and not _KEY.fullmatch(key.get_secret_value()):
        raise ValueError("expected 1 to 4096 ASCII characters without spaces")
    return key


def _read_key(value: object) -> object:
    """The key in the file at a path."""
    if not isinstance(value, str | Path):
        return value
    try:
        return SecretStr(Path(value).read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"expected a readable text file: {problem}") from problem


def _object(value: object) -> object:
    """The JSON object that a text holds."""
    if not isinstance(value, SecretStr):
        return value
    try:
        data = json.loads(value.get_secret_value())
    except ValueError as problem:
        raise ValueError(f"expected a JSON object: {problem}") from None
    if not isinstance(data, dict):
        # Pydantic makes an error of a field of ValueError only.
        raise ValueError(f"expected a JSON object, got {type(data).__name__}")  # noqa: TRY004
    return data


def _headers(value: object) -> object:
    """The headers of a JSON object, their values wrapped."""
    data = _object(value)
    if not isinstance(data, Mapping):
        return data
    told = {name: each.get_secret_value() if isinstance(each, SecretStr) else each for name, each in data.items()}
    for name, each in told.items():
        if not (isinstance(each, str) and _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(each)):
            raise ValueError("expected names and values of HTTP headers in ASCII")
    return {name: SecretStr(each) for name, each in told.items()}


Url = Annotated[str, AfterValidator(_url)]
Key = Annotated[SecretStr | None, AfterValidator(_key), BeforeValidator(_wrapped)]
KeyFile = Annotated[SecretStr | None, AfterValidator(_key), BeforeValidator(_read_key)]
"""The path of a file; its value is the key in it."""
Headers = Annotated[Mapping[str, SecretStr], NoDecode, BeforeValidator(_headers), BeforeValidator(_wrapped)]
Body = Annotated[Mapping[str, Any], NoDecode, BeforeValidator(_object), BeforeValidator(_wrapped)]


class UpstreamSettings(StageSettings):
    """What a stage can be told of the server that is its engine `openai_server`."""

    upstream_url: Url = Field("", description="openai_server: base address, as in http://127.0.0.1:9000/v1")
    upstream_model: str = Field("", description="openai_server: model to ask for; empty: the first that it lists")
    upstream_key: Key = Field(None, description="openai_server: API key, sent as Authorization: Bearer")
    upstream_key_file: KeyFile = Field(None, description="openai_server: path of a file with the API key")
    upstream_headers: Headers = Field({}, description="openai_server: further headers as a JSON object of strings")
    upstream_body: Body = Field(
        {},
        description="openai_server: further fields of each request's body as a JSON object; null takes a field out",
    )
    upstream_connect_timeout_s: float = Field(2.0, gt=0, description="openai_server: seconds to connect")
    upstream_first_byte_timeout_s: float = Field(
        10.0, gt=0, description="openai_server: seconds from a request to the first byte, retries included"
    )
    upstream_between_timeout_s: float = Field(
        10.0, gt=0, description="openai_server: seconds that an answer may pause before it is given up"
    )
    upstream_retries: int = Field(
        2, ge=0, le=10, description="openai_server: times that a request is asked again before the first byte"
    )
    upstream_connections: int = Field(
        64, ge=1, description="openai_server: requests at once; one more is RESOURCE_EXHAUSTED"
    )
    upstream_probe_s: float = Field(
        5.0, gt=0, description="openai_server: seconds between two looks whether the server answers"
    )

    @property
    def upstream_limits(self) -> HttpLimits:
        """The limits of its requests."""
        return HttpLimits(
            connect_s=self.upstream_connect_timeout_s,
            first_byte_s=self.upstream_first_byte_timeout_s,
            between_s=self.upstream_between_timeout_s,
            retries=self.upstream_retries,
            connections=self.upstream_connections,
        )

    @property
    def upstream_request_headers(self) -> dict[str, str]:
        """The headers of its requests, the key's among them. Raises ValueError where there are two keys."""
        if self.upstream_key is not None and self.upstream_key_file is not None:
            raise ValueError("expected UPSTREAM_KEY or UPSTREAM_KEY_FILE, got both")
        headers = {name: value.get_secret_value() for name, value in self.upstream_headers.items()}
        key = self.upstream_key or self.upstream_key_file
        return headers if key is None else headers | {"Authorization": f"Bearer {key.get_secret_value()}"}
