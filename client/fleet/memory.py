"""How much memory a process holds."""

from pathlib import Path


def resident_bytes(pid: int) -> int | None:
    """Resident set size of process `pid` in bytes; None where there is no /proc (macOS) or no such process any more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None
