"""The weights store: model files by name, fetched once, verified, kept in the user's cache directory.

`open_store().ensure("whisper-base")` is the directory of that model's files, whose names weights.toml lists.
"""

from chassis.weights import catalog
from chassis.weights.catalog import Catalog, Model, ModelFile
from chassis.weights.errors import (
    CatalogError,
    ContentError,
    PullError,
    SourceError,
    StorageError,
    UnknownModelError,
    WeightsError,
)
from chassis.weights.hub import HubSource
from chassis.weights.progress import Phase, Progress, Report
from chassis.weights.registry import RegistrySource
from chassis.weights.settings import SourceName, WeightsSettings, source_order
from chassis.weights.source import Source
from chassis.weights.store import FileState, WeightsStore

__all__ = [
    "Catalog",
    "CatalogError",
    "ContentError",
    "FileState",
    "Model",
    "ModelFile",
    "Phase",
    "Progress",
    "PullError",
    "Report",
    "Source",
    "SourceError",
    "SourceName",
    "StorageError",
    "UnknownModelError",
    "WeightsError",
    "WeightsSettings",
    "WeightsStore",
    "open_store",
    "source_order",
]


def open_store(settings: WeightsSettings | None = None) -> WeightsStore:
    """The store that the settings (by default the environment's) describe; raises `CatalogError`."""
    settings = settings or WeightsSettings()
    sources: dict[SourceName, Source] = {
        SourceName.REGISTRY: RegistrySource(settings.downloads),
        SourceName.HUB: HubSource(),
    }
    return WeightsStore(catalog.load(settings.catalog), settings.dir, [sources[name] for name in settings.sources])
