"""A free conversation on a terminal: the turn that goes on in place at the bottom, those before it above."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from rich.console import Console, Group, RenderableType
from rich.text import Text

from client.terminal.live_region import LiveRegion
from client.terminal.shown_turn import ShownTurn

_WIDTH = 100
_METER_CELLS = 12
_QUIETEST_DB = -60.0


class State(Enum):
    """What happens now; the value is what a person reads."""

    LISTENING = "listening"
    HEARING = "you speak"
    THINKING = "thinking"
    SPEAKING = "speaking"
    RECONNECTING = "reconnecting"


_COLOURS = {
    State.LISTENING: "green",
    State.HEARING: "cyan",
    State.THINKING: "yellow",
    State.SPEAKING: "magenta",
    State.RECONNECTING: "red",
}


@dataclass(frozen=True, slots=True)
class Status:
    """What the bottom line tells: `peak` of the microphone from 0 to 1, `notes` of what goes wrong."""

    state: State
    peak: float = 0.0
    muted: bool = False
    notes: tuple[str, ...] = ()


class TalkView:
    """Shows turns; `status` is asked whenever something is drawn. `start` it, `stop` it in the end."""

    def __init__(self, console: Console, status: Callable[[], Status]) -> None:
        self._console = console
        self._region = LiveRegion(console)
        self._status = status
        self._turns: list[ShownTurn] = []
        self.keys = False
        """Whether keys are told of."""

    def start(self) -> None:
        """Begins to change in place."""
        self._region.start()

    def stop(self) -> None:
        """Leaves what is over on the screen."""
        self._region.stop()

    def show(self, *turns: ShownTurn) -> None:
        """These turns go on."""
        self._turns = list(turns)
        self.draw()

    def draw(self) -> None:
        """Shows how things are."""
        parts: list[RenderableType] = []
        for turn in self._turns:
            parts += [turn.live(), Text()]
        self._region.draw(Group(*parts, status_line(self._status(), keys=self.keys)))

    def finish(self, turn: ShownTurn) -> None:
        """The turn is over: it stays as it is."""
        self._turns = [other for other in self._turns if other is not turn]
        self.tell(turn.final(min(self._console.width, _WIDTH)))

    def tell(self, content: RenderableType) -> None:
        """Prints for good."""
        self._region.above(content)
        self.draw()


def status_line(status: Status, *, keys: bool) -> Text:
    """The bottom line."""
    colour = _COLOURS[status.state]
    line = Text("  ").append("● ", colour).append(status.state.value.ljust(14), colour)
    if status.muted:
        line.append("muted".ljust(_METER_CELLS), "red")
    else:
        lit = meter(status.peak)
        line.append("▮" * lit, "green").append("▯" * (_METER_CELLS - lit), "dim")
    if keys:
        line.append("  m " + ("unmutes" if status.muted else "mutes") + ", q ends", "dim")
    for note in status.notes:
        line.append(f"  {note}", "yellow")
    line.truncate(_WIDTH)
    return line


def meter(peak: float) -> int:
    """Cells of the level meter that are lit by a peak from 0 to 1, in steps of 5 dB from -60 dB on."""
    level_db = 20 * math.log10(peak) if peak > 0 else _QUIETEST_DB
    return round(min(1.0, max(0.0, 1 - level_db / _QUIETEST_DB)) * _METER_CELLS)
