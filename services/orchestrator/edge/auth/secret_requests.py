"""What a request for a client secret may say, in the protocol's two generations. Pure.

Source: OpenAI's `POST /v1/realtime/client_secrets`, and the beta's `POST /v1/realtime/sessions`, whose body is the
session itself and whose answer is the session with the secret in it.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import from_json

from services.orchestrator.edge.auth.client_secrets import DEFAULT_S, LONGEST_S, SHORTEST_S
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.audio_formats import AudioFormat
from services.orchestrator.edge.realtime.beta import Beta
from services.orchestrator.edge.realtime.client_events import (
    AudioInput,
    AudioOutput,
    Model,
    SessionUpdate,
    SessionUpdateBody,
)


@dataclass(frozen=True, slots=True)
class SecretRequest:
    """A secret that is wanted: for how long (None: the default), and for what session."""

    seconds: int | None
    session: SessionUpdateBody

    @property
    def transcribes(self) -> bool:
        """Whether the person's words are sent."""
        heard = None if self.session.audio is None else self.session.audio.input
        return heard is None or "transcription" not in heard.model_fields_set or heard.transcription is not None

    @property
    def input_format(self) -> AudioFormat:
        """How audio comes in."""
        audio = self.session.audio
        return _format(None if audio is None else audio.input)

    @property
    def output_format(self) -> AudioFormat:
        """How audio goes out."""
        audio = self.session.audio
        return _format(None if audio is None else audio.output)

    def lifetime_s(self, longest: int) -> int:
        """For how many seconds the secret is valid. Raises ApiError where `longest` is less than was asked."""
        if self.seconds is None:
            return min(DEFAULT_S, longest)
        if self.seconds > longest:
            raise ApiError.invalid("expires_after.seconds", f"at most {longest}, got {self.seconds}")
        return self.seconds


def _format(audio: AudioInput | AudioOutput | None) -> AudioFormat:
    return AudioFormat.PCM if audio is None or audio.format is None else AudioFormat(audio.format.type)


class _ExpiresAfter(Model):
    anchor: Literal["created_at"] = "created_at"
    seconds: int | None = Field(None, ge=SHORTEST_S, le=LONGEST_S)


class _Body(Model):
    expires_after: _ExpiresAfter = Field(default_factory=_ExpiresAfter)
    session: SessionUpdateBody = Field(default_factory=lambda: SessionUpdateBody(type="realtime"))


class _BetaSecret(Model):
    expires_after: _ExpiresAfter = Field(default_factory=_ExpiresAfter)


class _BetaBody(Model):
    client_secret: _BetaSecret = Field(default_factory=_BetaSecret)


def parse(body: bytes) -> SecretRequest:
    """The request in a body of `/v1/realtime/client_secrets`; an empty one asks for the defaults.

    Raises ApiError.
    """
    data = _json(body)
    try:
        wish = _Body.model_validate(data)
    except ValidationError as problem:
        raise ApiError.of_validation(problem, data) from None
    return SecretRequest(wish.expires_after.seconds, wish.session)


def parse_beta(body: bytes) -> SecretRequest:
    """The request in a body of the beta's `/v1/realtime/sessions`. Raises ApiError."""
    data = _json(body)
    secret = {key: data.pop(key) for key in ("client_secret",) if key in data}
    event: dict[str, Any] = {"type": "session.update", "session": data}
    try:
        wish = _BetaBody.model_validate(secret)
    except ValidationError as problem:
        raise ApiError.of_validation(problem, secret) from None
    try:
        update = Beta().parse(event)
    except ValidationError as problem:
        raise ApiError.of_validation(problem, event) from None
    assert isinstance(update, SessionUpdate)
    return SecretRequest(wish.client_secret.expires_after.seconds, update.session)


def beta_view(session: dict[str, Any]) -> dict[str, Any]:
    """A session as the beta tells it."""
    told = Beta().tell({"type": "session.created", "session": session})
    assert told is not None
    view: dict[str, Any] = told["session"]
    return view


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = from_json(body) if body else {}
    except ValueError as problem:
        raise ApiError(400, f"expected one JSON object: {problem}", code="invalid_json") from None
    if not isinstance(data, dict):
        raise ApiError(400, f"expected one JSON object, got {type(data).__name__}", code="invalid_json")
    return data
