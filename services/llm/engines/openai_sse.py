"""Server-sent events as servers of OpenAI's API write them, read from bytes of any chunking. Pure.

Source: WHATWG HTML, 9.2. Only `data` matters there; lines end with LF or CR LF.
"""

from chassis.upstream import malformed

MAX_EVENT_BYTES = 1 << 20


class EventStream:
    """The data of each event, as soon as the event is whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[str]:
        """The events that `piece` ends. Raises StageError UPSTREAM_MALFORMED where one is too long or no UTF-8."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        found = [data for line in lines if (data := self._line(line.removesuffix(b"\r"))) is not None]
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise malformed(f"expected events of at most {MAX_EVENT_BYTES} bytes")
        return found

    def finish(self) -> list[str]:
        """The event that the end of the stream ends: servers leave out the empty line after their last one."""
        return self.feed(b"\n\n")

    def _line(self, line: bytes) -> str | None:
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
                self._size += len(value)
            return None
        if not self._data:
            return None
        data, self._data, self._size = b"\n".join(self._data), [], 0
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise malformed("expected events in UTF-8") from error
