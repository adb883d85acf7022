"""What processes cost, read from /proc: CPU time, memory, threads, open files. Blocking, but never for long."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.fleet.memory import resident_bytes


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """One process at one moment. `cpu_s` is user and system time of all its threads since its start, in seconds.

    `open_files` is None where its owner is somebody else.
    """

    pid: int
    cpu_s: float
    rss_bytes: int
    threads: int
    open_files: int | None


def sample(pid: int) -> ProcessSample | None:
    """The process `pid` now; None where there is no /proc (macOS) or no such process any more. Origin: proc(5)."""
    if sys.platform != "linux":
        return None
    root = Path(f"/proc/{pid}")
    try:
        # The name of the program, in parentheses, may have spaces in it: fields are counted from behind it.
        fields = (root / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    rss = resident_bytes(pid)
    if rss is None:
        return None
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return ProcessSample(pid, cpu_s, rss, threads=int(fields[17]), open_files=_open_files(root / "fd"))


def sample_all(pids: Mapping[str, int]) -> dict[str, ProcessSample]:
    """Those of the named processes that can be sampled."""
    samples = {name: sample(pid) for name, pid in pids.items()}
    return {name: found for name, found in samples.items() if found is not None}


def cpu_spent(before: Mapping[str, ProcessSample], after: Mapping[str, ProcessSample]) -> dict[str, float]:
    """CPU seconds between two samplings, of the processes that lived through both; one restarted is left out."""
    return {
        name: after[name].cpu_s - earlier.cpu_s
        for name, earlier in before.items()
        if name in after and after[name].pid == earlier.pid
    }


def _open_files(folder: Path) -> int | None:
    try:
        return len(os.listdir(folder))
    except (PermissionError, FileNotFoundError):
        return None
