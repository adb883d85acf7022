"""What lies in deploy/, and the Compose file as Docker would read it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "docker-compose.yml"
MPS = DEPLOY / "docker-compose.mps.yml"
PROFILES = ("cpu", "gpu")

Service = dict[str, Any]

_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::-([^}]*))?\})")


def interpolated(value: object, env: Mapping[str, str]) -> object:
    """`value` with `${NAME}` and `${NAME:-default}` put in as Compose does; other forms fail, as they are not used."""
    if isinstance(value, dict):
        return {key: interpolated(each, env) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, env) for each in value]
    if not isinstance(value, str):
        return value
    text = _VARIABLE.sub(lambda found: found[1] or env.get(found[2]) or found[3] or "", value)
    assert "${" not in text, text
    return text


def services(
    file: Path = COMPOSE, profile: str | None = None, env: Mapping[str, str] | None = None
) -> dict[str, Service]:
    """The services of `profile` (None: of all), interpolated from `env`."""
    found: dict[str, Service] = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return {
        name: interpolated(service, env or {})  # type: ignore[misc]
        for name, service in found.items()
        if profile is None or profile in service.get("profiles", [profile])
    }


def targets() -> list[str]:
    """The targets of the Dockerfile that are images: all but the one that they begin from."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    names = re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE)
    return [name for name in names if name != "core"]
