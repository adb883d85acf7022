"""What a pull tells its caller while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a pull stands."""

    WAITING = "waiting"
    """Another process is pulling the same model."""
    CHECKING = "checking"
    """Files that are there already are being hashed."""
    FETCHING = "fetching"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` bytes of the model's finished files.

    While an archive is on its way, what it will contribute is counted by its size on disk, so `done` is exact only
    where an archive is complete. It never falls within one source.
    """

    model: str
    phase: Phase
    done: int
    total: int


Report = Callable[[Progress], None]
"""Called on the thread that asked for the model."""


def ignore(progress: Progress) -> None:
    """The report of callers that want none."""
