"""Folders served as a web site in threads of their own: a page whose origin is not that of the server under test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit


class Site(ThreadingHTTPServer):
    """`folders` by the first part of their paths; "" is the one for all other paths."""

    daemon_threads = True

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = folders
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(SimpleHTTPRequestHandler):
    server: Site
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript", ".mjs": "text/javascript"}

    def translate_path(self, path: str) -> str:
        parts = [part for part in PurePosixPath(unquote(urlsplit(path).path)).parts if part not in ("/", "..")]
        if parts and parts[0] in self.server.folders:
            return str(self.server.folders[parts[0]].joinpath(*parts[1:]))
        return str(self.server.folders[""].joinpath(*parts))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Says nothing."""


@contextmanager
def serving_pages(folder: Path, **more: Path) -> Iterator[str]:
    """Serves `folder` at `/` and each of `more` under its name; gives the origin, `http://127.0.0.1:<port>`."""
    with Site({"": folder} | more) as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.05}, name="pages")
        thread.start()
        try:
            yield site.origin
        finally:
            site.shutdown()
            thread.join()
