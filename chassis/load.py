"""How near a stage is to its limit, as it tells every stream that it admits."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Load:
    """`used` of `limit`: streams, slots, whatever is scarce. What waits counts as used, so `used` may be the larger.

    It is sent as `5/16`. Raises ValueError unless `used` is at least 0 and `limit` at least 1.
    """

    used: int
    limit: int

    def __post_init__(self) -> None:
        if self.used < 0 or self.limit < 1:
            raise ValueError(f"load: expected at least 0/1, got {self}")

    @property
    def share(self) -> float:
        """The part of the limit that is used, 0 and more."""
        return self.used / self.limit

    def __str__(self) -> str:
        return f"{self.used}/{self.limit}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Reads what `str` wrote; None where it was something else that wrote it."""
        used, _, limit = text.partition("/")
        try:
            return cls(int(used), int(limit))
        except ValueError:
            return None
