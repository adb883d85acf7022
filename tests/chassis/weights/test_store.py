"""The weights directory: killed pulls, two processes at once, changed files, a real model from the real registry."""

import errno
import os
import signal
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from chassis.weights import (
    FileState,
    ModelFile,
    Phase,
    Progress,
    PullError,
    StorageError,
    UnknownModelError,
    WeightsSettings,
    open_store,
)
from chassis.weights.registry import RegistrySource
from chassis.weights.source import Arrived, Outcome
from chassis.weights.store import WeightsStore
from tests.chassis.weights.support import Registry, file, finish, left_behind, model, split_model, stamp, start, store

DATA = os.urandom(300_000)
ENSURE = """
import signal, sys
from chassis.weights import open_store
# As a terminal would have it: a shell's background job is started with SIGINT ignored, and so are its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
open_store().ensure(sys.argv[1])
"""


def environment(root: Path, text: str) -> dict[str, str]:
    catalog = root.parent / "weights.toml"
    catalog.write_text(text)
    settings = {"DIR": str(root), "CATALOG": str(catalog), "DOWNLOADS": "1", "SOURCES": "registry"}
    return {**os.environ, **{f"VOXFLEET_WEIGHTS_{name}": value for name, value in settings.items()}}


def wait_for(root: Path, pattern: str) -> None:
    deadline = time.monotonic() + 20
    while not list(root.glob(pattern)):
        assert time.monotonic() < deadline, f"{pattern} did not appear"
        time.sleep(0.02)


def test_a_pull_killed_in_the_middle_goes_on_with_the_missing_parts(registry: Registry, root: Path) -> None:
    text = split_model(registry.directory, "split", DATA, 4)
    registry.held.add("split_part3-1.0-py3-none-any.whl")
    process = start(ENSURE, environment(root, text), "split")
    wait_for(root, ".partial/split/joining/*.2.*")
    wait_for(root, ".partial/split/incoming/*")
    process.send_signal(signal.SIGKILL)
    assert finish([process])[0][0] == -signal.SIGKILL
    registry.held.clear()

    directory = store(root, text, RegistrySource()).ensure("split")

    assert (directory / "model.bin").read_bytes() == DATA
    assert left_behind(root) == ["split/.verified.json", "split/model.bin"]
    assert {name: registry.fetched[name] for name in registry.fetched if "part3" not in name} == {
        f"split_part{n}-1.0-py3-none-any.whl": 1 for n in (1, 2, 4)
    }


def test_ctrl_c_ends_a_pull_and_its_downloads_at_once(registry: Registry, root: Path) -> None:
    text = split_model(registry.directory, "split", DATA, 2)
    registry.held.add("split_part2-1.0-py3-none-any.whl")
    process = start(ENSURE, environment(root, text), "split")
    wait_for(root, ".partial/split/joining/*.1.*")
    process.send_signal(signal.SIGINT)

    [(_, _, errors)] = finish([process])

    assert errors.strip().endswith("KeyboardInterrupt")


def test_two_processes_that_pull_at_once_fetch_each_archive_once(registry: Registry, root: Path) -> None:
    text = split_model(registry.directory, "split", DATA, 2)
    env = environment(root, text)

    finished = finish([start(ENSURE, env, "split"), start(ENSURE, env, "split")])

    assert [status for status, _, _ in finished] == [0, 0], finished
    assert (root / "split/model.bin").read_bytes() == DATA
    assert set(registry.fetched.values()) == {1}


def test_the_second_of_two_is_told_that_it_waits(registry: Registry, root: Path) -> None:
    text = split_model(registry.directory, "split", DATA, 1)
    registry.held.add("split_part1-1.0-py3-none-any.whl")
    process = start(ENSURE, environment(root, text), "split")
    wait_for(root, ".partial/split/incoming/*")
    phases: list[Phase] = []

    def report(progress: Progress) -> None:
        phases.append(progress.phase)
        registry.release.set()

    store(root, text, RegistrySource()).ensure("split", report)

    assert phases == [Phase.WAITING, Phase.DONE]
    assert finish([process])[0][0] == 0


def test_a_verified_model_is_ready_without_a_source_a_lock_or_reading_it(
    shelf: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = split_model(shelf, "split", DATA, 1)
    store(root, text, RegistrySource()).ensure("split")
    (root / "split/model.bin").chmod(0)
    monkeypatch.setattr("chassis.weights.store.sha256_of", forbidden)
    monkeypatch.setattr("chassis.weights.store.FileLock", forbidden)

    assert store(root, text).ensure("split") == root / "split"


def forbidden(*args: object) -> None:
    raise AssertionError("not needed for a verified model")


def test_a_file_put_there_by_hand_is_hashed_once_and_taken(root: Path) -> None:
    weights = store(root, model("m", file("model.bin", DATA, hub="model.bin")))
    (root / "m").mkdir(parents=True)
    (root / "m/model.bin").write_bytes(DATA)
    assert weights.state("m") == {"model.bin": FileState.UNVERIFIED}

    weights.ensure("m")

    assert weights.state("m") == {"model.bin": FileState.READY}


def test_verify_finds_a_flipped_bit_and_the_next_pull_mends_it(shelf: Path, root: Path) -> None:
    weights = store(root, split_model(shelf, "split", DATA, 1), RegistrySource())
    path = weights.ensure("split") / "model.bin"
    assert weights.verify("split") == {"model.bin": FileState.READY}
    before = path.stat()
    with path.open("r+b") as flipped:
        flipped.write(bytes([DATA[0] ^ 1]))
    os.utime(path, (before.st_atime, before.st_mtime))
    assert weights.state("split") == {"model.bin": FileState.READY}, "size and time are as they were"

    assert weights.verify("split") == {"model.bin": FileState.CORRUPT}
    assert stamp(root, "split") == {}
    weights.ensure("split")

    assert path.read_bytes() == DATA


def test_a_file_of_another_size_is_fetched_again(shelf: Path, root: Path) -> None:
    weights = store(root, split_model(shelf, "split", DATA, 1), RegistrySource())
    path = weights.ensure("split") / "model.bin"
    path.write_bytes(DATA[:10])

    assert weights.state("split") == {"model.bin": FileState.CORRUPT}
    assert (weights.ensure("split") / "model.bin").read_bytes() == DATA


def test_a_new_hash_in_the_catalog_replaces_the_file(shelf: Path, root: Path) -> None:
    store(root, split_model(shelf, "m", DATA, 1), RegistrySource()).ensure("m")
    newer = DATA[::-1]

    directory = store(root, split_model(shelf, "m", newer, 1), RegistrySource()).ensure("m")

    assert (directory / "model.bin").read_bytes() == newer


def test_a_stamp_that_is_not_one_only_costs_a_hash(shelf: Path, root: Path) -> None:
    weights = store(root, split_model(shelf, "m", DATA, 1), RegistrySource())
    weights.ensure("m")
    (root / "m/.verified.json").write_text("not json")

    assert weights.state("m") == {"model.bin": FileState.UNVERIFIED}
    weights.ensure("m")
    assert weights.state("m") == {"model.bin": FileState.READY}


def test_an_unknown_model_is_an_error_before_anything_is_made(root: Path) -> None:
    weights = store(root, model("m", file("model.bin", DATA, hub="model.bin")))

    for ask in (weights.ensure, weights.verify, weights.state, weights.directory):
        with pytest.raises(UnknownModelError, match="the models are: m"):
            ask("n")

    assert not root.exists()


def test_a_source_that_has_no_copy_is_said_to_have_none(root: Path) -> None:
    weights = store(root, model("m", file("model.bin", DATA, hub="model.bin")), RegistrySource())

    with pytest.raises(PullError, match=r"registry: m: no copy of model\.bin is known there"):
        weights.ensure("m")


def test_a_disk_without_room_is_an_error_before_anything_is_fetched(registry: Registry, root: Path) -> None:
    entry = split_model(registry.directory, "m", DATA, 1).replace(f"size = {len(DATA)}", f"size = {1 << 60}")

    with pytest.raises(
        StorageError, match=r"is full: \d+\.\d MB are needed, \d+\.\d MB are free.*VOXFLEET_WEIGHTS_DIR"
    ):
        store(root, entry, RegistrySource()).ensure("m")

    assert not registry.fetched


class FullDisk:
    """A source during whose fetch the disk runs full."""

    name = "full"

    def offers(self, file: ModelFile) -> bool:
        return True

    def fetch(self, files: Sequence[ModelFile], workspace: Path, arrived: Arrived) -> Generator[Outcome]:
        yield from ()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_runs_full_meanwhile_is_a_clear_error(root: Path) -> None:
    with pytest.raises(StorageError, match=r"the disk of .* is full; .*VOXFLEET_WEIGHTS_DIR"):
        store(root, model("m", file("model.bin", DATA, hub="model.bin")), FullDisk()).ensure("m")


def test_a_directory_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    weights: WeightsStore = store(tmp_path / "taken", model("m", file("model.bin", DATA, hub="m")), FullDisk())

    with pytest.raises(StorageError, match=r"cannot use .*taken: .*VOXFLEET_WEIGHTS_DIR"):
        weights.ensure("m")


def test_a_real_model_comes_from_the_real_registry(tmp_path: Path) -> None:
    settings = WeightsSettings(dir=tmp_path)

    directory = open_store(settings).ensure("silero-vad")

    assert (directory / "model.onnx").stat().st_size == 1_289_603
    assert left_behind(tmp_path) == ["silero-vad/.verified.json", "silero-vad/model.onnx"]
