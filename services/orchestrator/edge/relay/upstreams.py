"""Which models are relayed, and to which Realtime servers: how that is written in the settings.

JSON in an environment variable or tables in a TOML file, a model's name each:

    [gpt-realtime]
    url = "wss://api.openai.com/v1/realtime"
    key_file = "/run/secrets/openai"
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError, field_validator
from pydantic_settings import NoDecode

from services.orchestrator.edge.relay import hops

_NAME = re.compile(r"[A-Za-z0-9._:/@-]{1,128}")
_URL = re.compile(r"[\x21-\x7e]+")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_OWN_HEADERS = frozenset(("connection", "host", "openai-beta", "upgrade", hops.HEADER.lower()))


@dataclass(frozen=True, slots=True)
class Upstream:
    """A Realtime server that answers for a model.

    `name` is the model that clients ask for; `url` the server's address with all parameters but those of a session;
    `key` is sent as a bearer token, `headers` as they are; `model` is what the server calls the model, empty where its
    address says so already.
    """

    name: str
    url: str
    model: str
    key: SecretStr | None = None
    headers: Mapping[str, SecretStr] = field(default_factory=dict)

    def address(self, *, extensions: str) -> str:
        """The address of a session. `extensions` are those that the client asked for, empty for none."""
        parts = urlsplit(self.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        query += [(name, value) for name, value in (("model", self.model), ("extensions", extensions)) if value]
        return urlunsplit(parts._replace(query=urlencode(query)))

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, which no proxy of the environment leads to."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")

    @property
    def is_secure(self) -> bool:
        """Whether it is reached over TLS."""
        return urlsplit(self.url).scheme == "wss"

    def credentials(self) -> dict[str, str]:
        """The request headers that show who asks."""
        shown = {name: value.get_secret_value() for name, value in self.headers.items()}
        return shown if self.key is None else shown | {"Authorization": f"Bearer {self.key.get_secret_value()}"}


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str
    key: SecretStr | None = None
    key_file: Path | None = None
    model: str | None = None
    headers: dict[str, SecretStr] = {}

    @field_validator("url")
    @classmethod
    def _is_websocket(cls, url: str) -> str:
        parts = urlsplit(url)
        if not _URL.fullmatch(url) or parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError("expected an address that begins with wss:// or ws://")
        if parts.port == 0:
            raise ValueError("expected a port from 1 to 65535")
        if parts.username is not None or parts.fragment:
            raise ValueError("expected an address without user and fragment; the key belongs into key or key_file")
        if {"model", "extensions"} & dict(parse_qsl(parts.query, keep_blank_values=True)).keys():
            raise ValueError("expected an address without model and extensions, which are added; model names the model")
        return url

    @field_validator("key")
    @classmethod
    def _is_token(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not _KEY.fullmatch(key.get_secret_value()):
            raise ValueError("expected 1 to 4096 ASCII characters without spaces")
        return key

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value.get_secret_value()):
                raise ValueError("expected names and values of HTTP headers in ASCII")
            if name.lower() in _OWN_HEADERS or name.lower().startswith("sec-websocket-"):
                raise ValueError(f"expected no {name}, which the relay sets itself")
        return headers


def _upstream(name: str, data: object) -> Upstream:
    """ValueError without a word of the input, which may hold a key."""
    if not _NAME.fullmatch(name):
        raise ValueError("expected names of models of 1 to 128 letters, digits and . _ : / @ -")
    try:
        entry = _Entry.model_validate(data)
    except ValidationError as problem:
        faults = problem.errors(include_input=False, include_url=False)
        raise ValueError("; ".join(f"{_path(name, fault['loc'])}: {_text(fault['msg'])}" for fault in faults)) from None
    if entry.key is not None and entry.key_file is not None:
        raise ValueError(f"{name}: expected key or key_file, got both")
    key = entry.key if entry.key_file is None else _read_key(name, entry.key_file)
    if key is not None and any(header.lower() == "authorization" for header in entry.headers):
        raise ValueError(f"{name}.headers: expected no Authorization beside a key")
    return Upstream(name, entry.url, name if entry.model is None else entry.model, key, entry.headers)


def _read_key(name: str, path: Path) -> SecretStr:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"{name}.key_file: expected a readable text file: {problem}") from problem
    if not _KEY.fullmatch(text):
        raise ValueError(f"{name}.key_file: expected one key on one line in {path}")
    return SecretStr(text)


def _path(name: str, location: Iterable[int | str]) -> str:
    return ".".join((name, *(str(part) for part in location)))


def _text(message: str) -> str:
    return message.removeprefix("Value error, ")


def _hidden(value: object) -> object:
    """A text is wrapped at once, so that no error message can show the keys in it."""
    return SecretStr(value) if isinstance(value, str) else value


def _parsed(value: object) -> object:
    """The upstreams of a JSON object, as text or as a mapping."""
    data: Any = value
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        try:
            data = json.loads(text) if text.strip() else {}
        except json.JSONDecodeError as problem:
            raise ValueError(f"expected a JSON object: {problem}") from None
    if isinstance(data, tuple):
        return data
    if not isinstance(data, Mapping):
        # Pydantic makes an error of a field of ValueError only.
        raise ValueError(f"expected a JSON object with a model's name each, got {type(data).__name__}")  # noqa: TRY004
    return tuple(_upstream(name, entry) for name, entry in data.items())


def _read(value: object) -> object:
    """The upstreams of the TOML file at a path."""
    if not isinstance(value, str | Path):
        return value
    if not str(value):
        return ()
    try:
        data = tomllib.loads(Path(value).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"expected a readable TOML file: {problem}") from problem
    except tomllib.TOMLDecodeError as problem:
        raise ValueError(f"expected TOML: {problem}") from None
    return tuple(_upstream(name, entry) for name, entry in data.items())


Upstreams = Annotated[tuple[Upstream, ...], NoDecode, BeforeValidator(_parsed), BeforeValidator(_hidden)]
"""Settings field: a JSON object, `{"MODEL": {"url", "key" | "key_file", "model", "headers"}}`."""
UpstreamsFile = Annotated[tuple[Upstream, ...], NoDecode, BeforeValidator(_read)]
"""Settings field: the path of a TOML file with a table of the same fields for each model."""
