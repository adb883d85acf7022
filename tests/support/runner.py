"""`tests.support.fleet_runner` as a child of the test, with what it prints."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager


class Runner:
    """A running `voxfleet up` and its output so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self.process = process
        self.output = ""
        self._stdout = process.stdout

    async def says(self, text: str, timeout_s: float = 20.0) -> None:
        """Reads until `text` was printed."""
        async with asyncio.timeout(timeout_s):
            while text not in self.output:
                data = await self._stdout.read(4096)
                assert data, f"{text!r} was never printed:\n{self.output}"
                self.output += data.decode()

    async def exit_status(self, timeout_s: float = 20.0) -> int:
        """Reads to the end; the exit status."""
        async with asyncio.timeout(timeout_s):
            self.output += (await self._stdout.read()).decode()
            return await self.process.wait()

    def number_after(self, source: str, word: str) -> int:
        """The number that follows `word` in a line of `source`."""
        found = re.search(rf"^{source} .*\b{word} (\d+)", self.output, re.MULTILINE)
        assert found is not None, self.output
        return int(found[1])


@asynccontextmanager
async def running_up(*servers: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Runner]:
    """Starts the runner with `servers`; kills it at the end, if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.fleet_runner", *servers),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )
    runner = Runner(process)
    try:
        yield runner
    finally:
        if process.returncode is None:
            process.kill()
        await runner.exit_status()
