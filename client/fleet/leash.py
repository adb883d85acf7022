"""`python -m client.fleet.leash MODE PARENT MODULE [ARG ...]`: runs a module that cannot outlive who started it.

A supervisor that is killed with SIGKILL can clean nothing up, so each child sees to itself before its own code runs:

- `pdeathsig` (Linux): the kernel sends SIGKILL to the process when the thread that started it ends
  (`PR_SET_PDEATHSIG`, prctl(2)).
- `eof` (elsewhere, macOS among them): standard input is a pipe whose other end only the supervisor holds; a thread
  reads it and, at its end, kills the process group, which `start_new_session` made the child's own.

The module then runs as under `python -m MODULE`. Only the standard library is imported here.
"""

import os
import runpy
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Literal, cast, get_args

LeashMode = Literal["pdeathsig", "eof"]
DEFAULT_MODE: LeashMode = "pdeathsig" if sys.platform == "linux" else "eof"

_PR_SET_PDEATHSIG = 1


def leashed_command(module: str, args: Sequence[str], mode: LeashMode = DEFAULT_MODE) -> tuple[str, ...]:
    """The command that runs `module` as a child of this process, tied to it by `mode`."""
    return (sys.executable, "-m", "client.fleet.leash", mode, str(os.getpid()), module, *args)


def _die_with_parent(parent: int) -> None:
    import ctypes  # costs memory in every server, and only this mode needs it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before the call; the kernel would then never send the signal.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _die_at_end_of_input() -> None:
    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="leash", daemon=True).start()


def main(argv: Sequence[str]) -> None:
    """Ties this process as `argv` says, then runs the module."""
    mode, parent, module, *args = argv
    if mode not in get_args(LeashMode):
        raise SystemExit(f"leash mode: expected one of {', '.join(get_args(LeashMode))}, got {mode!r}")
    match cast("LeashMode", mode):
        case "pdeathsig":
            _die_with_parent(int(parent))
        case "eof":
            _die_at_end_of_input()
    sys.argv = [module, *args]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
