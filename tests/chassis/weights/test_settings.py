"""Settings of the weights store."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from chassis.weights import SourceName, WeightsSettings, open_store


def test_the_directory_is_in_the_users_cache_unless_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VOXFLEET_WEIGHTS_DIR", raising=False)
    assert WeightsSettings().dir == tmp_path / "cache" / "voxfleet" / "weights"

    monkeypatch.setenv("VOXFLEET_WEIGHTS_DIR", "~/models")
    assert WeightsSettings().dir == Path.home() / "models"


def test_the_order_of_sources_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOXFLEET_WEIGHTS_SOURCES", raising=False)
    assert WeightsSettings().sources == (SourceName.REGISTRY, SourceName.HUB)

    monkeypatch.setenv("VOXFLEET_WEIGHTS_SOURCES", "hub, registry")
    assert WeightsSettings().sources == (SourceName.HUB, SourceName.REGISTRY)


@pytest.mark.parametrize("order", ["disk", "registry,registry", ",", "registry hub"])
def test_a_bad_order_is_an_error_that_lists_the_sources(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFLEET_WEIGHTS_SOURCES", order)

    with pytest.raises(ValidationError, match="expected distinct names out of registry, hub"):
        WeightsSettings()


def test_the_store_takes_directory_and_catalog_from_the_settings(tmp_path: Path) -> None:
    store = open_store(WeightsSettings(dir=tmp_path))

    assert store.directory("silero-vad") == tmp_path / "silero-vad"
