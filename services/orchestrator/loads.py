"""Which stages have room for work that may turn out needless. Pure: `now` in seconds on a monotonic clock."""

from chassis.load import Load

# About the time of one turn: every session that is busy opens streams within it, and hears of the load anew.
_KNOWN_FOR_S = 5.0


class Loads:
    """The newest load that each stage has told. What a stage told long ago is not known any more."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Load, float]] = {}

    def note(self, stage: str, load: Load, now: float) -> None:
        """The stage has told its load."""
        self._told[stage] = load, now

    def has_room(self, stage: str, limit: float, now: float) -> bool:
        """Whether less than `limit` of the stage is in use, 0 to 1; an unknown load is none. 0: never, 1: always."""
        load, told_at = self._told.get(stage, (None, now))
        share = 0.0 if load is None or now - told_at > _KNOWN_FOR_S else load.share
        return limit >= 1 or share < limit
