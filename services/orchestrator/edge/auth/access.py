"""Who may do what at the edge: a request's key and origin in, a grant or a refusal out. Pure."""

import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Self

from pydantic import ValidationError

from services.orchestrator.edge.auth.client_secrets import ClientSecrets, ExpiredSecretError, InvalidSecretError
from services.orchestrator.edge.auth.keys import SECRET_PREFIX, KeyRing
from services.orchestrator.edge.auth.origins import Origins
from services.orchestrator.edge.realtime.client_events import SessionUpdateBody
from services.orchestrator.settings import Settings

PUBLIC_PATHS = frozenset(("/", "/healthz", "/readyz", "/metrics"))
"""What anybody may ask for: nothing here tells or takes a word of a conversation."""
PUBLIC_PREFIXES = ("/console/",)
"""The files of the console's page: a browser fetches them before anybody can have typed a key."""
SESSION_PATHS = frozenset(("/v1/realtime", "/v1/realtime/calls", "/ws/voice", "/realtime"))
"""What opens a session: all that a client secret is good for."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a request says of itself. `key` is what it presents, `origin` and `host` are its headers."""

    path: str
    key: str | None = None
    origin: str | None = None
    host: str | None = None

    def __repr__(self) -> str:
        return f"Attempt(path={self.path!r}, origin={self.origin!r}, host={self.host!r})"


class Holder(Enum):
    """Whose request it is."""

    ANYBODY = "anybody"
    API_KEY = "api_key"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - a kind, not a secret


@dataclass(frozen=True, slots=True)
class Grant:
    """The request may pass. `session` is what its client secret says of the session that it opens."""

    holder: Holder
    session: SessionUpdateBody | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request may not: an HTTP status (401 or 403), a code for programs, a sentence for people."""

    status: int
    code: str
    message: str


_HOW = "send it as 'Authorization: Bearer <key>', or from a browser as the subprotocol 'openai-insecure-api-key.<key>'"
MISSING = Refusal(401, "missing_api_key", f"expected an API key: {_HOW}")
WRONG = Refusal(401, "invalid_api_key", "the API key is not one of this server's")
INVALID_SECRET = Refusal(401, "invalid_client_secret", "the client secret was not issued by this server")
EXPIRED_SECRET = Refusal(401, "expired_client_secret", "the client secret has expired; ask for a new one")
UNUSABLE_SECRET = Refusal(401, "invalid_client_secret", "this server cannot do what the client secret's session asks")
SESSIONS_ONLY = Refusal(403, "client_secret_not_allowed", "a client secret opens sessions only; this needs an API key")


class Access:
    """The rules of one server. `required`: whether requests need a key; `secrets` issues and opens client secrets."""

    def __init__(self, keys: KeyRing, origins: Origins, client_secrets: ClientSecrets, *, required: bool) -> None:
        self.client_secrets = client_secrets
        self._keys = keys
        self._origins = origins
        self._required = required

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The rules that the settings describe."""
        keys = KeyRing(key.get_secret_value() for key in settings.keys)
        if settings.secret_key is not None:
            material = settings.secret_key.get_secret_value().encode()
        else:
            material = keys.material or secrets.token_bytes(32)
        origins = Origins(settings.allowed_origins, local=settings.listens_locally and not settings.needs_key)
        return cls(keys, origins, ClientSecrets(material), required=settings.needs_key)

    def decide(self, attempt: Attempt, now: float) -> Grant | Refusal:
        """Whether a request may pass. `now` in seconds since the epoch."""
        if attempt.path in PUBLIC_PATHS or attempt.path.startswith(PUBLIC_PREFIXES):
            return Grant(Holder.ANYBODY)
        if not self._origins.allow(attempt.origin, attempt.host):
            message = (
                f"pages of {attempt.origin} may not use this server; "
                "VOXFLEET_ORCHESTRATOR_ALLOWED_ORIGINS lists those that may"
            )
            return Refusal(403, "origin_not_allowed", message)
        # Also where no key is needed: a session that its secret does not shape would be another than was asked for.
        if attempt.key is not None and attempt.key.startswith(SECRET_PREFIX):
            return self._with_secret(attempt.path, attempt.key, now)
        if not self._required:
            return Grant(Holder.ANYBODY)
        if attempt.key is None:
            return MISSING
        return Grant(Holder.API_KEY) if self._keys.holds(attempt.key) else WRONG

    def _with_secret(self, path: str, value: str, now: float) -> Grant | Refusal:
        try:
            session = SessionUpdateBody.model_validate_json(self.client_secrets.open(value, now))
        except InvalidSecretError:
            return INVALID_SECRET
        except ExpiredSecretError:
            return EXPIRED_SECRET
        except ValidationError:
            # Another replica issued it, one with more installed or of another version.
            return UNUSABLE_SECRET
        return Grant(Holder.CLIENT_SECRET, session) if path in SESSION_PATHS else SESSIONS_ONLY
