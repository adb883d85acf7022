import asyncio
import os
import sys

from tests.support.terminal import in_terminal

PROGRAM = """
import asyncio
from client.terminal.keys import pressed_keys

async def main():
    done = asyncio.Event()
    with pressed_keys({"m": lambda: print("muted", flush=True), "q": done.set}) as keys:
        print("keys", keys, flush=True)
        if keys:
            await done.wait()

asyncio.run(main())
input("line: ")
"""


async def test_keys_work_without_enter_and_the_terminal_is_as_it_was_afterwards() -> None:
    async with in_terminal(sys.executable, "-c", PROGRAM, env=os.environ) as terminal, asyncio.timeout(20):
        await terminal.until("keys True")
        terminal.press("xm")
        await terminal.until("muted")
        terminal.press("q")
        await terminal.until("line: ")
        # A terminal that takes lines shows what is typed.
        terminal.press("typed\n")
        await terminal.until("typed")
        assert await terminal.process.wait() == 0
    assert "x" not in terminal.text


async def test_without_a_terminal_there_are_no_keys() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(b"anything\n")
    assert process.returncode == 0
    assert output.decode() == "keys False\nline: "
