"""Freed memory goes back to the system."""

import subprocess
import sys
from pathlib import Path

import pytest

# Large blocks between small ones that stay, freed in the end; prints the megabytes that the process then still holds.
PROGRAM = """
import sys
from pathlib import Path
if sys.argv[1] == "returned":
    from chassis.memory import return_freed_memory
    return_freed_memory()
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
before = resident()
kept = []
for _ in range(20):
    blocks = [bytearray(1_280_000) for _ in range(20)]
    kept += [bytearray(60_000) for _ in range(2)]
    del blocks
print((resident() - before) >> 20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc, which only Linux has")
def test_large_blocks_that_were_freed_are_not_held() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM, "returned"], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 8  # 2.4 MB are kept on purpose
