import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chassis.weights.support import Hub, Registry, served


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of archives that is the only place where pip looks."""
    directory = tmp_path / "shelf"
    directory.mkdir()
    _only(monkeypatch, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(directory))
    return directory


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A package index over HTTP that is the only place where pip looks."""
    (tmp_path / "index").mkdir()
    registry = Registry(tmp_path / "index")
    with served(registry.answer) as url:
        registry.url = url
        _only(monkeypatch, PIP_INDEX_URL=f"{url}/simple", PIP_RETRIES="0")
        yield registry
        registry.release.set()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A model hub that huggingface_hub talks to instead of the public one, in processes started from here on."""
    hub = Hub({})
    with served(hub.answer) as url:
        hub.url = url
        monkeypatch.setenv("HF_ENDPOINT", url)
        yield hub


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The weights directory."""
    return tmp_path / "weights"


def _only(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {**settings, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
