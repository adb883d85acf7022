"""The weights that `voxfleet up` pulls before it starts anything."""

import os
from pathlib import Path

import pytest
import typer

from chassis.weights import UnknownModelError
from client.commands.up import pull_missing
from tests.chassis.weights.conftest import root, shelf  # noqa: F401
from tests.chassis.weights.support import split_model

DATA = os.urandom(10_000)


@pytest.fixture(autouse=True)
def models(shelf: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (shelf.parent / "weights.toml").write_text(
        split_model(shelf, "one", DATA, 2) + split_model(shelf, "two", DATA, 1) + split_model(shelf, "three", DATA, 1)
    )
    monkeypatch.setenv("VOXFLEET_WEIGHTS_CATALOG", str(shelf.parent / "weights.toml"))
    monkeypatch.setenv("VOXFLEET_WEIGHTS_DIR", str(root))
    monkeypatch.setenv("VOXFLEET_WEIGHTS_SOURCES", "registry")


def test_only_the_models_that_are_needed_and_not_here_are_pulled(
    root: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    pull_missing(["one"])
    assert capsys.readouterr().out.startswith("one: ready")
    pull_missing(["one", "two"])
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["two"]
    assert (root / "two/model.bin").read_bytes() == DATA
    assert not (root / "three").exists()


def test_nothing_is_said_where_everything_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    pull_missing(["one"])
    capsys.readouterr()
    pull_missing(["one"])
    assert capsys.readouterr() == ("", "")


def test_a_model_that_cannot_be_had_ends_it(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    for archive in shelf.iterdir():
        archive.unlink()
    with pytest.raises(typer.Exit) as exited:
        pull_missing(["one"])
    assert exited.value.exit_code == 1
    assert "error: one: could not get model.bin" in capsys.readouterr().err


def test_a_name_that_the_catalog_does_not_have_is_an_error() -> None:
    with pytest.raises(UnknownModelError, match="there is no model 'four'; the models are: one, three, two"):
        pull_missing(["four"])
