"""Lines at the bottom of a terminal that change in place, while what is over scrolls away above them.

rich's own `Live` goes up by the lines that it wrote; where the terminal became narrower they are more by now.
"""

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.control import Control
from rich.segment import ControlType, Segment, Segments


class LiveRegion:
    """At most as many lines as the terminal has, the last ones. Without a terminal it shows nothing, `above` prints."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._columns: list[int] = []
        self._open = False

    def start(self) -> None:
        """Begins; `stop` it in the end."""
        self._open = self._console.is_terminal
        if self._open:
            self._console.show_cursor(False)

    def stop(self) -> None:
        """Takes the lines away."""
        if self._open:
            with self._console:
                self._erase()
            self._console.show_cursor(True)
            self._open = False

    def draw(self, content: RenderableType) -> None:
        """Shows `content` in the place of what was shown before."""
        if not self._open:
            return
        width, height = self._console.size
        # Terminals wrap what fills the last column.
        options = self._console.options.update(width=max(1, width - 1), height=None)
        lines = self._console.render_lines(content, options, pad=False)[-max(1, height - 1) :]
        segments = [segment for line in lines for segment in (Segment.line(), *line)][1:]
        with self._console:
            self._erase()
            self._console.print(Segments(segments), end="", soft_wrap=True)
        self._columns = [sum(cell_len(segment.text) for segment in line) for line in lines]

    def above(self, content: RenderableType) -> None:
        """Prints for good, above the lines; `draw` brings them back."""
        with self._console:
            self._erase()
            self._console.print(content)

    def _erase(self) -> None:
        if not self._columns:
            return
        width = max(1, self._console.width)
        rows = sum(max(1, -(-columns // width)) for columns in self._columns)
        clear = (ControlType.ERASE_IN_LINE, 2)
        up = ((ControlType.CURSOR_UP, 1), clear)
        self._console.control(Control(ControlType.CARRIAGE_RETURN, clear, *(up * (rows - 1))))
        self._columns = []
