"""A program in a terminal of its own, for what it only does where a person can see it."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """What a program has written, and a keyboard."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.raw = ""
        self._descriptor = descriptor
        self._wrote = asyncio.Condition()

    @property
    def text(self) -> str:
        """All that was written, also what was written over, without colours and movements of the cursor."""
        return _CONTROL.sub("", self.raw)

    async def until(self, text: str, times: int = 1, timeout_s: float = 60.0) -> None:
        """Waits until `text` was written so many times."""
        try:
            async with asyncio.timeout(timeout_s), self._wrote:
                await self._wrote.wait_for(lambda: self.text.count(text) >= times)
        except TimeoutError as error:
            raise AssertionError(f"{text!r} was not written {times} times:\n{self.text[-4000:]}") from error

    def press(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._descriptor, keys.encode())

    async def read(self) -> None:
        """Takes what is written until the program ends."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._descriptor, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                try:
                    data = os.read(self._descriptor, 65_536)
                except BlockingIOError:
                    continue
                except OSError:
                    return  # EIO: nobody has the other end open any more
                async with self._wrote:
                    self.raw += data.decode(errors="replace")
                    self._wrote.notify_all()
        finally:
            loop.remove_reader(self._descriptor)


@asynccontextmanager
async def in_terminal(
    *command: str, env: Mapping[str, str], columns: int = 90, rows: int = 40
) -> AsyncIterator[Terminal]:
    """Runs a program in a terminal; it is killed at the end of the block where it still runs."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.set_blocking(ours, False)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "LANG": "C.UTF-8"},
    )
    os.close(theirs)
    terminal = Terminal(ours, process)
    reading = asyncio.create_task(terminal.read())
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        os.close(ours)
