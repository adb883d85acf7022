import io

from rich.console import Console
from rich.text import Text

from client.terminal.live_region import LiveRegion
from client.terminal.talk_view import State, Status, meter, status_line


class Screen:
    """A terminal of a size that a test changes."""

    def __init__(self, width: int, height: int) -> None:
        self._out = io.StringIO()
        self.console = Console(file=self._out, width=width, height=height, force_terminal=True, color_system=None)

    def written(self) -> str:
        """What was written since the last call."""
        text = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return text


UP = "\x1b[1A\x1b[2K"


def test_what_is_drawn_takes_the_place_of_what_was_there() -> None:
    screen = Screen(20, 10)
    region = LiveRegion(screen.console)
    region.start()
    region.draw(Text("one\ntwo\nthree"))
    assert screen.written().endswith("one\ntwo\nthree")
    region.draw(Text("four"))
    assert screen.written() == "\r\x1b[2K" + UP * 2 + "four"
    region.above(Text("said"))
    assert screen.written() == "\r\x1b[2Ksaid\n"
    region.stop()
    assert screen.written() == "\x1b[?25h"


def test_lines_that_a_narrower_terminal_wraps_are_taken_away_with_all_their_rows() -> None:
    screen = Screen(40, 10)
    region = LiveRegion(screen.console)
    region.start()
    region.draw(Text("讲个故事吧" * 3))  # 30 columns
    screen.written()
    screen.console.width = 12
    region.draw(Text("x"))
    assert screen.written() == "\r\x1b[2K" + UP * 2 + "x"


def test_only_the_last_lines_are_drawn_where_the_terminal_is_too_low() -> None:
    screen = Screen(20, 3)
    region = LiveRegion(screen.console)
    region.start()
    region.draw(Text("one\ntwo\nthree"))
    assert screen.written().endswith("\x1b[?25ltwo\nthree")


def test_without_a_terminal_only_what_stays_is_written() -> None:
    out = io.StringIO()
    region = LiveRegion(Console(file=out, width=20))
    region.start()
    region.draw(Text("one"))
    region.above(Text("said"))
    region.stop()
    assert out.getvalue() == "said\n"


def test_the_meter_has_steps_of_five_decibels() -> None:
    assert [meter(peak) for peak in (0.0, 0.001, 0.1, 1.0, 1.5)] == [0, 0, 8, 12, 12]


def test_the_bottom_line_says_what_goes_on() -> None:
    speaking = status_line(Status(State.SPEAKING, peak=0.1, notes=("overflows: 1",)), keys=True).plain
    assert speaking == "  ● speaking      ▮▮▮▮▮▮▮▮▯▯▯▯  m mutes, q ends  overflows: 1"
    assert status_line(Status(State.LISTENING, muted=True), keys=False).plain.rstrip() == "  ● listening     muted"
