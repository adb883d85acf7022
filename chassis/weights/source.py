"""What every source of model files does, and the joining of parts that survives being killed."""

import hashlib
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from chassis.weights.catalog import ModelFile, Part
from chassis.weights.errors import ContentError

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Finished:
    """A complete file under the workspace whose SHA-256 is the catalog's."""

    file: ModelFile
    path: Path


Outcome = Finished | ContentError
Arrived = Callable[[int], None]
"""Told how many bytes of the asked-for files have arrived; called on the fetching thread, also while it waits."""


class Source(Protocol):
    """A place that model files come from."""

    @property
    def name(self) -> str:
        """The source's name in settings and messages."""
        ...

    def offers(self, file: ModelFile) -> bool:
        """Whether the catalog says that this source has the file."""
        ...

    def fetch(self, files: Sequence[ModelFile], workspace: Path, arrived: Arrived) -> Generator[Outcome]:
        """Yields each file as it is complete.

        What is complete in `workspace` from an earlier, interrupted call is used and not fetched again. A file with the
        wrong content is yielded as a `ContentError`, and all that it was made of is gone. Raises `SourceError` where
        going on is pointless, `OSError` where the workspace cannot be written. Closing the iterator stops downloads.
        """
        ...


def sha256_of(path: Path, hashed: Callable[[int], None] | None = None) -> str:
    """Lower-case hex digest of a file; `hashed` is told the size of each chunk."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            if hashed is not None:
                hashed(len(chunk))
    return digest.hexdigest()


class Assembly:
    """One file being joined from parts in order, on disk.

    The name of the growing file says how many parts it holds and how many bytes they are, and changes atomically when a
    part is complete. So a process killed at any point loses at most the part it was appending, and each part's archive
    can be deleted as soon as it is appended.
    """

    def __init__(self, file: ModelFile, directory: Path, source: str) -> None:
        self._file = file
        self._directory = directory
        self._source = source
        self._digest = hashlib.sha256()
        self._parts, self._bytes = 0, 0
        self._hashed = 0
        for path in directory.glob(f"{file.sha256}.*"):
            parts, length = (int(field) for field in path.name.split(".")[1:])
            self._parts, self._bytes = parts, length

    @property
    def file(self) -> ModelFile:
        """The file that is joined."""
        return self._file

    @property
    def missing(self) -> tuple[Part, ...]:
        """The parts that are not joined yet."""
        return self._file.parts[self._parts :]

    @property
    def length(self) -> int:
        """Bytes of the joined parts."""
        return self._bytes

    def append(self, stream: IO[bytes]) -> None:
        """Joins the next part; raises `ContentError` as soon as the file is longer than it may be."""
        self._catch_up()
        length = self._bytes
        with self._path.open("ab") as output:
            while chunk := stream.read(CHUNK):
                length += len(chunk)
                if length > self._file.size:
                    raise self._wrong(f"more than its {self._file.size} bytes")
                self._digest.update(chunk)
                output.write(chunk)
        grown = self._named(self._parts + 1, length)
        self._path.replace(grown)
        self._parts, self._bytes, self._hashed = self._parts + 1, length, length

    def finish(self) -> Finished:
        """The joined file, on disk for good; raises `ContentError` where its SHA-256 is not the catalog's."""
        self._catch_up()
        if (got := self._digest.hexdigest()) != self._file.sha256:
            raise self._wrong(got)
        with self._path.open("rb+") as joined:
            os.fsync(joined.fileno())
        return Finished(self._file, self._path)

    def discard(self) -> None:
        """Deletes what is joined."""
        self._path.unlink(missing_ok=True)
        self._digest = hashlib.sha256()
        self._parts, self._bytes, self._hashed = 0, 0, 0

    @property
    def _path(self) -> Path:
        return self._named(self._parts, self._bytes)

    def _named(self, parts: int, length: int) -> Path:
        return self._directory / f"{self._file.sha256}.{parts}.{length}"

    def _catch_up(self) -> None:
        """Brings file and digest to the end of the last complete part: an append may have been killed half-way."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        os.truncate(self._path, self._bytes)
        if self._hashed == self._bytes:
            return
        self._digest = hashlib.sha256()
        with self._path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                self._digest.update(chunk)
        self._hashed = self._bytes

    def _wrong(self, got: str) -> ContentError:
        file = self._file
        return ContentError(model=file.model, file=file.name, source=self._source, expected=file.sha256, got=got)
