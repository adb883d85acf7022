"""The console's files as they are served: read once, each with its type and its entity tag."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file. `etag` changes with its content (RFC 9110, section 8.8.3)."""

    body: bytes
    media_type: str
    etag: str


def read_files(package: str) -> Mapping[str, StaticFile]:
    """Every file of `package`'s folder `static`, by its path below it. KeyError for a kind of file not known here."""
    return MappingProxyType(dict(_walk(files(package) / "static", "")))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{path}/")
        else:
            body = entry.read_bytes()
            media_type = _TYPES[entry.name.rpartition(".")[2]]
            found.append((path, StaticFile(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:24]}"')))
    return found
