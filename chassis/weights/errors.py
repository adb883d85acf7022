"""What can go wrong between a model's name and its files; every message is one line for the person at the terminal."""

import errno
from collections.abc import Iterable, Sequence

STORAGE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
"""What the disk says; any other `OSError` of a download client is the network's."""


class WeightsError(Exception):
    """Base of every error that the weights store raises on purpose."""


class CatalogError(WeightsError):
    """weights.toml is missing, is not TOML, or has a field that breaks its schema; the message names the field."""


class UnknownModelError(WeightsError):
    """The name is not in the catalog; the message lists the names that are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no model {name!r}; the models are: {', '.join(sorted(known))}")
        self.name = name


class SourceError(WeightsError):
    """One source could not deliver: unreachable, does not have the file, or sent something unreadable."""


class ContentError(SourceError):
    """A finished file is not the one that the catalog pins."""

    def __init__(self, *, model: str, file: str, source: str, expected: str, got: str) -> None:
        super().__init__(f"{source}: {model}/{file}: expected SHA-256 {expected}, got {got}")
        self.model = model
        self.file = file
        self.source = source
        self.expected = expected
        self.got = got


class StorageError(WeightsError):
    """The weights directory cannot be used, or its disk is full."""

    @classmethod
    def full(cls, directory: object, need: str = "") -> "StorageError":
        """The error for a disk without the room for what is to be written under `directory`."""
        return cls(
            f"the disk of {directory} is full{need}; free some space or set VOXFLEET_WEIGHTS_DIR to another disk"
        )

    @classmethod
    def of(cls, error: OSError, directory: object) -> "StorageError":
        """The error for an `OSError` that using `directory` raised."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls.full(directory)
        return cls(f"cannot use {directory}: {error.strerror or error}; VOXFLEET_WEIGHTS_DIR names another")


class PullError(WeightsError):
    """Some files of a model could not be had from any source; `failures` holds what each source said."""

    def __init__(self, model: str, files: Sequence[str], failures: Sequence[WeightsError]) -> None:
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        reasons = " | ".join(dict.fromkeys(str(failure) for failure in failures))
        super().__init__(f"{model}: could not get {shown}: {reasons}")
        self.model = model
        self.files = tuple(files)
        self.failures = tuple(failures)
