"""Running a download client as a child process that can be stopped at any moment."""

import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

POLL_S = 0.1


class StoppedError(Exception):
    """The child was ended because `stop` was set."""


def run(command: Sequence[str], env: Mapping[str, str], scratch: Path, stop: threading.Event) -> tuple[int, str]:
    """Exit status and output (stdout and stderr as one text) of `command`; raises `StoppedError` once `stop` is set."""
    with tempfile.TemporaryFile("w+", dir=scratch, encoding="utf-8", errors="replace") as output:
        child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while True:
                if stop.is_set():
                    raise StoppedError
                try:
                    status = child.wait(POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        output.seek(0)
        return status, output.read()
