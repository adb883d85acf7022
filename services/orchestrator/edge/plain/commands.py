"""What a client of the plain protocol may say in text frames, as models."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from services.orchestrator.edge.realtime.client_events import Model, NoiseReductionType
from services.orchestrator.endpointing import Eagerness

MAX_TEXT_CHARACTERS = 100_000


class Configure(Model):
    """Changes how the session goes on; what is left out stays as it is."""

    type: Literal["configure"]
    sample_rate: Literal[16000] = 16000
    instructions: str | None = Field(None, max_length=32_000)
    voice: str | None = Field(None, min_length=1, max_length=64)
    speed: float | None = Field(None, ge=0.25, le=1.5)
    language: str | None = Field(None, pattern="^([a-z]{2,3})?$")
    hint: str | None = Field(None, max_length=1_000)
    """Words that are likely to be said."""
    silence_ms: int | None = Field(None, ge=0, le=10_000)
    """A turn ends after so much silence, whatever was said."""
    eagerness: Eagerness | None = None
    """A turn ends soon after a complete sentence and late after an incomplete one."""
    detection: bool | None = None
    noise_reduction: NoiseReductionType | None = None
    """Null is a wish, too: off."""


class Text(Model):
    """Says something in writing and asks for a reply."""

    type: Literal["text"]
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)


class Commit(Model):
    """The turn is over."""

    type: Literal["commit"]


class Clear(Model):
    """What was said since the last turn is thrown away."""

    type: Literal["clear"]


class Cancel(Model):
    """The reply stops."""

    type: Literal["cancel"]


class Playout(Model):
    """The loudspeaker has played `audio_ms` ms of the reply `item_id`, and goes on (`playing`) or stands still."""

    type: Literal["playout"]
    item_id: str = Field(min_length=1, max_length=64)
    audio_ms: float = Field(ge=0, allow_inf_nan=False)
    playing: bool = True


class Ping(Model):
    """Asks for a `pong` with the same `id` and `sent_ms`."""

    type: Literal["ping"]
    id: str | None = Field(None, max_length=64)
    sent_ms: float | None = Field(None, allow_inf_nan=False)


class Pong(Model):
    """Answers the server's `ping`; what it holds is not looked at."""

    type: Literal["pong"]
    id: str | None = Field(None, max_length=64)
    sent_ms: float | None = Field(None, allow_inf_nan=False)


Message = Configure | Text | Commit | Clear | Cancel | Playout | Ping | Pong
MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])
