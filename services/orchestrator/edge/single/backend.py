"""What every endpoint of one stage alone needs: the stages, the settings, and a place among the requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chassis.context import CallContext, new_traceparent
from chassis.errors import StageError
from chassis.metrics import ADMISSION_REFUSED
from services.orchestrator.clients import Stages
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.ids import new_id
from services.orchestrator.settings import Settings


class Places:
    """Requests and sockets that are served at once, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Holds a place. StageError REQUESTS_EXHAUSTED (RESOURCE_EXHAUSTED) where there is none."""
        if self._taken >= self._limit:
            ADMISSION_REFUSED.labels("orchestrator").inc()
            raise StageError.exhausted("REQUESTS_EXHAUSTED", f"all {self._limit} places are taken; try again later")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


@dataclass(frozen=True, slots=True)
class Backend:
    """The stages as one request sees them."""

    stages: Stages
    voices: VoiceCatalogue
    settings: Settings

    async def require_voice(self, name: str) -> None:
        """StageError INVALID_FIELD for the field `voice` where the fleet has no voice of that name. Empty is a default,
        and while the stage cannot be asked any name passes: the stage itself judges it then."""
        if expected := await self.voices.expected_instead(name):
            raise StageError.invalid("voice", expected)


def call_context(kind: str) -> CallContext:
    """The context of the calls of one request or socket."""
    return CallContext(session_id=new_id(kind), traceparent=new_traceparent())
