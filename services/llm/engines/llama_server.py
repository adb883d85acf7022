"""llama.cpp's server inside this process: completions by function call, templates and tokens over its private socket.

xllamacpp starts the HTTP server in any case. It listens on a Unix socket in a directory that only this user may enter.
Every function here blocks.
"""

import http.client
import json
import os
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.llm.settings import Settings

REUSE_TOKENS = 32
"""Shortest run of cached tokens that is moved, not decoded again, where the oldest turns were left out before it."""
QUIET = 0
"""Log verbosity: errors only."""
HTTP_THREADS = 2

Chunk = Mapping[str, Any]


class LlamaServerError(RuntimeError):
    """The server refused a request; the message is its own."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class LlamaServer:
    """One model, loaded on construction, with `settings.slots` slots. Safe to use from several threads."""

    def __init__(self, model: Path, settings: Settings) -> None:
        # OpenMP's threads wait for each other hundreds of times a token. Those that sleep at once make every token a
        # third slower on idle cores (22 tokens/s instead of 33); those that never sleep starve the other servers. In
        # between, longer is better: with four people speaking at once a reply began after 1.4 s with 300,000 iterations
        # and after 2.2 s with 10,000. Read when the library is loaded.
        os.environ.setdefault("GOMP_SPINCOUNT", "300000")
        import xllamacpp

        self._directory = tempfile.TemporaryDirectory(prefix="voxfleet-llm-")
        self._socket = os.path.join(self._directory.name, "llama.sock")
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.hostnames = [self._socket]
        params.n_threads_http = HTTP_THREADS
        params.ui = False
        params.endpoint_slots = False
        params.verbosity = QUIET
        params.n_parallel = settings.slots
        params.n_ctx = settings.slots * settings.context_tokens
        params.n_batch = params.n_ubatch = max(settings.batch_tokens, settings.slots)
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
        params.n_cache_reuse = REUSE_TOKENS
        # Sessions have their own slots; a second cache in memory would only grow.
        params.cache_ram_mib = 0
        try:
            self._server: Any = xllamacpp.Server(params)
        except BaseException:
            self._directory.cleanup()
            raise
        properties = self._request("GET", "/props")
        self.can_call_tools: bool = properties["chat_template_caps"]["supports_tools"]

    def complete(self, request: Mapping[str, Any], on_chunk: Callable[[Chunk], bool]) -> None:
        """Runs one completion; `on_chunk` gets every event of its stream, in this thread, and returns True to stop it.

        A progress event comes after each batch of the prompt, so a stop takes effect within a batch or a token.
        """
        body = {"stream": True, "return_progress": True, "cache_prompt": True, **request}
        self._server.handle_completions(body, on_chunk)

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The conversation in the model's chat template, up to where the assistant speaks."""
        prompt: str = self._request("POST", "/apply-template", {"messages": messages})["prompt"]
        return prompt

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a rendered prompt."""
        body = {"content": prompt, "add_special": True, "parse_special": True}
        return len(self._request("POST", "/tokenize", body)["tokens"])

    def close(self) -> None:
        """Frees the model. Every completion must have ended."""
        self._server = None
        self._directory.cleanup()

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection = _UnixConnection(self._socket)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise LlamaServerError(f"{path}: {answer['error']['message']}")
        return answer
