"""What may differ between two generations of the Realtime protocol: how events are written. Pure."""

from typing import Protocol

from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.edge.realtime.views import Json

# Only the older generation has it.
_NOT_SENT = "conversation.created"


class Dialect(Protocol):
    """How one generation writes what another calls by the names of the general availability (GA)."""

    def parse(self, data: object) -> client.ClientEvent:
        """A client event. Raises ValidationError, which speaks of `data`."""
        ...

    def tell(self, message: Json) -> Json | None:
        """A server event in this dialect; None where the dialect has none of the kind."""
        ...

    def field(self, path: str) -> str:
        """What this dialect calls the field with the dotted GA `path`."""
        ...


class GeneralAvailability:
    """The current generation: nothing to translate."""

    def parse(self, data: object) -> client.ClientEvent:
        """A client event. Raises ValidationError."""
        return client.CLIENT_EVENT.validate_python(data)

    def tell(self, message: Json) -> Json | None:
        """The event itself."""
        return None if message["type"] == _NOT_SENT else message

    def field(self, path: str) -> str:
        """The path itself."""
        return path
