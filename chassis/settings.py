"""Settings: environment variables read by pydantic, one prefix a service, all listed by `--help`."""

import argparse
import sys
from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.logging import LogFormat

HIGHEST_PORT = 65_535
METRICS_PORT_STEP = 1_000
Port = Annotated[int, Field(ge=0, le=HIGHEST_PORT)]


class ServerSettings(BaseSettings):
    """What every server of the fleet can be told."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_", extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    log_level: str = Field(
        "info", pattern="(?i)^(debug|info|warning|error)$", description="debug, info, warning or error"
    )
    log_format: LogFormat = Field("text", description="text or json")
    drain_s: float = Field(10.0, ge=0, description="seconds that running streams get to finish after SIGTERM")


class StageSettings(ServerSettings):
    """What every stage server can be told; a stage's subclass adds its prefix, its port and its engine's settings."""

    port: Port = Field(0, description="gRPC port; 0 picks a free one")
    metrics_port: Port | None = Field(None, validate_default=True, description="Prometheus port; default: port + 1000")
    max_streams: int = Field(64, ge=1, description="streams served at once; one more is RESOURCE_EXHAUSTED")
    idle_timeout_s: float = Field(120.0, gt=0, description="seconds a stream may send nothing before it is ended")
    max_message_bytes: int = Field(1 << 20, ge=1 << 12, description="largest gRPC message accepted, in bytes")

    @field_validator("metrics_port")
    @classmethod
    def _fits(cls, metrics_port: int | None, info: ValidationInfo) -> int | None:
        if metrics_port is None and info.data.get("port", 0) + METRICS_PORT_STEP > HIGHEST_PORT:
            raise ValueError(f"expected a port, because port + {METRICS_PORT_STEP} is above {HIGHEST_PORT}")
        return metrics_port

    @property
    def prometheus_port(self) -> int:
        """Port of the metrics endpoint; 0 picks a free one."""
        if self.metrics_port is not None:
            return self.metrics_port
        return self.port + METRICS_PORT_STEP if self.port else 0

    @property
    def models(self) -> tuple[str, ...]:
        """Names in weights.toml of the models that the engine will load, in that order."""
        return ()


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def describe(settings: type[BaseSettings]) -> str:
    """One line an environment variable: name, default, meaning."""
    prefix = settings.model_config.get("env_prefix", "")
    lines = []
    for name, field in settings.model_fields.items():
        default = "required" if field.is_required() else field.get_default(call_default_factory=True)
        shown = f"[{default}]" if default is not None else "[]"
        lines.append(f"  {(prefix + name).upper():<42} {field.description or ''} {shown}")
    return "\n".join(lines)


def load(settings: type[SettingsT], program: str, argv: Sequence[str] | None = None) -> SettingsT:
    """Reads the environment; `--help` lists every variable. A bad value exits with status 2, naming the variable."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=(settings.__doc__ or "").strip(),
        epilog=f"environment variables:\n{describe(settings)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(argv)
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for problem in error.errors():
            name = "".join(str(part) for part in problem["loc"][:1])
            sys.stderr.write(f"{program}: {(prefix + name).upper()}: {problem['msg']}, got {problem['input']!r}\n")
        raise SystemExit(2) from error
