"""Lines out of a byte stream of any chunking, none longer than a limit: pure."""


class LineSplitter:
    """Cuts what a process writes into lines of text.

    A line longer than `max_bytes` keeps its beginning and says how many bytes were cut, so one process can neither fill
    the memory nor the screen. Bytes that are not UTF-8 become U+FFFD, control characters (terminal escapes, a progress
    bar's carriage returns) become spaces.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._cut = 0

    def push(self, data: bytes) -> list[str]:
        """Adds bytes; returns the lines that are now complete, oldest first, without their line ends."""
        *complete, rest = data.split(b"\n")
        lines = []
        for piece in complete:
            self._keep(piece)
            lines.append(self._take())
        self._keep(rest)
        return lines

    def flush(self) -> list[str]:
        """The last line, where it has no line end; the splitter is empty afterwards."""
        return [self._take()] if self._rest else []

    def _keep(self, piece: bytes) -> None:
        room = self._max_bytes - len(self._rest)
        self._rest += piece[:room]
        self._cut += max(0, len(piece) - room)

    def _take(self) -> str:
        text = self._rest.decode(errors="replace")
        text = "".join(char if char.isprintable() else " " for char in text).rstrip(" ")
        if self._cut:
            text = f"{text} … ({self._cut} bytes more)"
        self._rest.clear()
        self._cut = 0
        return text
