"""weights.toml: the one in the repository, and what is said about a broken one."""

import pytest

from chassis.weights import CatalogError, UnknownModelError
from chassis.weights.catalog import ArchiveKind, load, parse
from chassis.weights.settings import CATALOG
from tests.chassis.weights.support import file, model

DATA = b"weights"
PART = '{ requirement = "pack==1.0", member = "data/part.bin" }'


def test_the_catalog_of_the_repository_lists_the_models_of_the_default_engines() -> None:
    catalog = load(CATALOG)

    assert set(catalog.models) == {
        "silero-vad",
        "smart-turn",
        "whisper-base",
        "whisper-tiny-en",
        "qwen2.5-1.5b-q4",
        "qwen2.5-0.5b-q4",
        "smollm2-135m",
        "kokoro-82m-int8",
        "speech-samples",
    }
    for name in ("whisper-base", "whisper-tiny-en"):
        names = {file.name for file in catalog[name].files}
        assert names == {"model.bin", "config.json", "tokenizer.json", "vocabulary.txt"}
    assert catalog["qwen2.5-1.5b-q4"].size == 1_117_320_768


def test_kokoro_has_voices_of_every_language_that_the_fleet_speaks_with_it() -> None:
    voices = {file.name for file in load(CATALOG)["kokoro-82m-int8"].files if file.name.startswith("voices/")}

    assert {name.removeprefix("voices/")[0] for name in voices} == set("abefhijpz")
    assert {"voices/zf_xiaobei.bin", "voices/jf_alpha.bin", "voices/ef_dora.bin", "voices/ff_siwis.bin"} <= voices


def test_a_count_repeats_a_part_for_each_n() -> None:
    entry = '{ requirement = "pack-{n}==1.0", member = "data/{n:02d}.bin", count = 3, archive = "sdist" }'

    [found] = parse(model("m", file("model.bin", DATA, registry=entry)))["m"].files

    assert [(part.archive.requirement, part.member) for part in found.parts] == [
        ("pack-1==1.0", "data/01.bin"),
        ("pack-2==1.0", "data/02.bin"),
        ("pack-3==1.0", "data/03.bin"),
    ]
    assert {part.archive.kind for part in found.parts} == {ArchiveKind.SDIST}


def test_a_table_of_hashes_makes_a_file_of_each_key() -> None:
    text = model(
        "m",
        'name = "voices/{key}.bin"\nsize = 7\n'
        'registry = [{ requirement = "pack==1.0", member = "data/{key}.bin" }]\n'
        f'sha256 = {{ ann = "{"a" * 64}", bob = "{"b" * 64}" }}',
    )

    files = parse(text)["m"].files

    assert [(found.name, found.parts[0].member, found.sha256[0]) for found in files] == [
        ("voices/ann.bin", "data/ann.bin", "a"),
        ("voices/bob.bin", "data/bob.bin", "b"),
    ]


def test_an_unknown_model_is_an_error_that_lists_the_models() -> None:
    catalog = parse(model("small", file("model.bin", DATA, registry=PART)) + model("big", file("m", DATA, hub="m")))

    with pytest.raises(UnknownModelError, match=r"no model 'huge'; the models are: big, small"):
        catalog["huge"]


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        (("size = 7", "size = 0"), "files.0.size", "greater than 0"),
        (("size = 7", 'size = "many"'), "files.0.size", "valid integer"),
        (("size = 7", ""), "files.0.size", "required"),
        (('name = "model.bin"', 'name = "../model.bin"'), "files.0.name", "relative path"),
        (('name = "model.bin"', 'name = "/etc/passwd"'), "files.0.name", "relative path"),
        (('sha256 = "', 'sha256 = "x'), "files.0.sha256", "64 lower-case hexadecimal digits"),
        (("pack==1.0", "pack>=1.0"), "files.0.registry.0.requirement", "pattern"),
        (("pack==1.0", "pack @ https://x/y.whl"), "files.0.registry.0.requirement", "pattern"),
        (("member =", 'archive = "egg", member ='), "files.0.registry.0.archive", "'wheel' or 'sdist'"),
        (("member =", "colour = 1, member ="), "files.0.registry.0.colour", "not permitted"),
        (("data/part.bin", "data/{m}.bin"), "files.0", "placeholders {n}, {key}"),
        (("registry = [", "registry = [] #"), "files.0", "registry, hub or both"),
        (('licence = "MIT"', ""), "licence", "required"),
    ],
)
def test_a_broken_catalog_is_an_error_that_names_the_field(change: tuple[str, str], field: str, expected: str) -> None:
    text = model("m", file("model.bin", DATA, registry=PART))
    assert change[0] in text

    with pytest.raises(CatalogError) as caught:
        parse(text.replace(*change), "mine.toml")

    assert str(caught.value).startswith(f"mine.toml: models.m.{field}: ")
    assert expected in str(caught.value)


def test_two_files_of_one_name_are_an_error() -> None:
    entry = file("model.bin", DATA, registry=PART)

    with pytest.raises(CatalogError, match=r"models\.m: expected distinct file names, got model\.bin more than once"):
        parse(model("m", entry, entry))


def test_a_text_that_is_not_toml_is_an_error_with_its_line() -> None:
    with pytest.raises(CatalogError, match=r"mine\.toml: is not TOML: .*line 2"):
        parse("[models]\n!", "mine.toml")
