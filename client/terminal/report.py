"""What `talk` and `demo` show of a turn, in at most 80 columns: labels on the left, what they are about beside them."""

from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from client.events import ErrorEvent, ServerEvent, describe_error
from client.terminal.waterfall import WIDTH, waterfall
from client.turns import Turn, TurnRecorder

_INDENT = 2
_LABEL_COLUMNS = len("understood") + 2


def make_console(*, stderr: bool = False) -> Console:
    """A console no wider than 80 columns."""
    console = Console(stderr=stderr, highlight=False)
    console.width = min(console.width, WIDTH)
    return console


class TurnView:
    """The words of a turn while they come: `with TurnView(console, asked) as view`, `view.show` for each event.

    `asked` is the text of the question where it is known (None: the person speaks freely). On a terminal the lines
    change in place; elsewhere the final ones are printed once.
    """

    def __init__(self, console: Console, asked: str | None = None) -> None:
        self._console = console
        self._asked = asked
        self._understood = ""
        self._answer = ""
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="visible")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begins to show."""
        if self._console.is_terminal:
            self._live.start()
            self._live.update(self._table(), refresh=True)

    def stop(self) -> None:
        """Leaves the last state on the screen."""
        self._live.stop()
        self._console.print(self._table())

    def show(self, event: ServerEvent, recorder: TurnRecorder) -> None:
        """Shows where the turn is after `event`."""
        if isinstance(event, ErrorEvent):
            self._console.print(error_line(event), soft_wrap=True)
        if (recorder.understood, recorder.answer) != (self._understood, self._answer):
            self._understood, self._answer = recorder.understood, recorder.answer
            if self._live.is_started:
                self._live.update(self._table(), refresh=True)

    def _table(self) -> Padding:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=_LABEL_COLUMNS - 2, style="dim")
        table.add_column(overflow="fold")
        if self._asked is not None:
            table.add_row("asked", Text(self._asked))
        table.add_row("understood", Text(self._understood or "…"))
        table.add_row("answered", Text(self._answer or "…", "bold" if self._answer else ""))
        return Padding(table, (0, 0, 0, _INDENT), expand=False)


def labelled(label: str, text: str, *, style: str = "dim") -> Text:
    """One labelled line; `style` is the label's."""
    return Text(" " * _INDENT).append(label.ljust(_LABEL_COLUMNS), style).append(text)


def print_line(console: Console, label: str, text: str, *, style: str = "dim") -> None:
    """Prints one labelled line, never wrapped."""
    console.print(labelled(label, text, style=style), soft_wrap=True)


def error_line(event: ErrorEvent) -> Text:
    """One line with the error's code, field and message."""
    return labelled("error", describe_error(event), style="red")


def latency_lines(turn: Turn, width: int) -> list[Text]:
    """The waterfall of the turn in `width` columns, an empty line last; none where the server sent no marks."""
    *bars, axis = waterfall(turn.marks, width) or [""]
    lines = []
    for bar in bars:
        # Names have single spaces in them, at least two follow.
        name_ends = bar.index("  ", _INDENT)
        line = Text(no_wrap=True).append(bar[:name_ends], "dim").append(bar[name_ends:])
        line.highlight_regex("[█▏]+", "cyan")
        lines.append(line)
    return [*lines, Text(axis, "dim", no_wrap=True), Text()] if axis else []


def print_latency(console: Console, turn: Turn) -> None:
    """The waterfall of the turn and what it comes to for the listener."""
    for line in latency_lines(turn, console.width):
        console.print(line)
    print_line(console, "in total", summary(turn))


def summary(turn: Turn) -> str:
    """Latency, length and quality of a reply, on one line."""
    parts = []
    if turn.voice_to_voice_ms is not None:
        parts.append(f"{turn.voice_to_voice_ms:.0f} ms voice to voice")
    elif "audio_sent" in turn.marks:
        parts.append(f"{turn.marks['audio_sent']:.0f} ms to the first audio")
    if turn.cut_off:
        parts.append("the reply began before the question was over")
    if turn.draft == "kept":
        parts.append("draft kept")
    if turn.language:
        parts.append(f"language {turn.language}")
    if turn.reply_pcm:
        parts.append(f"reply {turn.reply_s:.1f} s" + _gaps(turn))
    return " · ".join(parts) or "no audio"


def _gaps(turn: Turn) -> str:
    if turn.status == "cancelled":
        # The server waits while it is not sure of an interruption.
        return ""
    missing = sum(gap.duration_ms for gap in turn.gaps)
    return f", {missing:.0f} ms of gaps in it" if turn.gaps else ", no gaps"


def print_outcome(console: Console, turn: Turn, saved: Path | None) -> bool:
    """Where the reply was saved, or why there is none to speak of; returns whether it was heard."""
    if saved is not None:
        print_line(console, "saved", str(saved))
    if turn.problem is not None:
        print_line(console, "not heard", turn.problem, style="red")
        return False
    return True
