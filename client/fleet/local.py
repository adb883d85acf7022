"""The fleet on this machine: five processes, as their settings (environment variables) describe them."""

import os
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Protocol, cast, runtime_checkable

from pydantic import SecretStr, ValidationError

from chassis.settings import ServerSettings
from client.fleet.plan import FleetPlan, ProcessPlan
from client.fleet.ports import PortClaim, free_ports
from client.fleet.probes import GrpcHealth, HttpReady
from client.fleet.supervisor import FleetError

STAGES = ("vad", "stt", "llm", "tts")
ORCHESTRATOR = "orchestrator"
SERVICES = (*STAGES, ORCHESTRATOR)

# The engines are told how many threads to use. Beside them, numpy's linear algebra keeps a pool of one thread a core in
# every process, whose threads spin after each product and take the cores from the engines: with it, the encoder of the
# speech-to-text model took 115 ms instead of 43 ms on two cores.
_THREADS = {"OPENBLAS_NUM_THREADS": "1"}
_WARM = "VOXFLEET_LLM_WARM_INSTRUCTIONS"
_KILL_AFTER_DRAIN_S = 5.0
"""What a server gets on top of its own `drain_s` to free its engine before it is killed."""


class BadSettingsError(FleetError):
    """An environment variable has a value that its server refuses; the message names it."""


@runtime_checkable
class NamesModels(Protocol):
    """Settings that know which weights (names in weights.toml) their server will load."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of loading."""
        ...


class Prompting(Protocol):
    """Settings that hold the system prompt of a session whose client names none."""

    instructions: str


class Guarded(Protocol):
    """Settings of a server whose clients may need a key."""

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """Every key that clients may use."""
        ...


class ListeningSettings(Protocol):
    """Settings of a server with one main port."""

    host: str
    port: int
    drain_s: float


def local_fleet(
    only: Collection[str] = SERVICES,
    *,
    any_port: bool = False,
    env: Mapping[str, Mapping[str, str]] | None = None,
) -> FleetPlan:
    """The plan of the services named in `only`, read from the environment.

    `env` holds variables for single services, over the environment: `{"stt": {"VOXFLEET_STT_MODEL": "..."}}`. With
    `any_port` every port is a free one, so that several fleets can run side by side. The orchestrator is told where the
    started stages listen; a target that the environment already names stays. Raises BadSettingsError.
    """
    if unknown := sorted(set(only) - set(SERVICES)):
        raise BadSettingsError(f"unknown service {', '.join(unknown)}; services: {', '.join(SERVICES)}")
    names = [name for name in SERVICES if name in only]
    if not names:
        raise BadSettingsError(f"no service is named; services: {', '.join(SERVICES)}")
    plans: list[ProcessPlan] = []
    models: list[str] = []
    url = None
    for name in names:
        own = dict((env or {}).get(name, {}))
        settings = read_settings(name, own)
        if any_port or cast("ListeningSettings", settings).port == 0:
            # A port that the server picks itself is one that nobody here would know.
            own = _with_free_ports(name, own)
            settings = read_settings(name, own)
        listening = cast("ListeningSettings", settings)
        main = PortClaim(listening.host, listening.port, _variable(name, "port"))
        claims = [main]
        if isinstance(settings, NamesModels):
            models.extend(settings.models)
        if name == ORCHESTRATOR:
            targets = {_variable(ORCHESTRATOR, f"{plan.name}_target"): plan.claims[0].target for plan in plans}
            own = {key: target for key, target in targets.items() if not os.environ.get(key)} | own
            url = f"http://{main.target}".replace("127.0.0.1", "localhost")
        else:
            metrics_port = getattr(settings, "prometheus_port", 0)
            claims.append(PortClaim(listening.host, metrics_port, _variable(name, "metrics_port")))
        own = {key: value for key, value in _THREADS.items() if not os.environ.get(key)} | own
        if name == "llm" and not os.environ.get(_WARM):
            # The prompt that the first session will begin with, so that its first turn is as fast as the others.
            orchestrator = read_settings(ORCHESTRATOR, (env or {}).get(ORCHESTRATOR, {}))
            own = {_WARM: cast("Prompting", orchestrator).instructions} | own
        plans.append(
            ProcessPlan(
                name=name,
                module=f"services.{name}",
                probe=HttpReady(main.target) if name == ORCHESTRATOR else GrpcHealth(main.target),
                env=own,
                claims=tuple(claims),
                depends_on=frozenset(STAGES) if name == ORCHESTRATOR else frozenset(),
                drain_s=listening.drain_s + _KILL_AFTER_DRAIN_S,
            )
        )
    return FleetPlan(tuple(plans), url, tuple(dict.fromkeys(models)))


def own_key() -> str | None:
    """A key of the orchestrator that this environment describes; None where it has none. Raises BadSettingsError."""
    keys = cast("Guarded", read_settings(ORCHESTRATOR, {})).keys
    return keys[0].get_secret_value() if keys else None


def read_settings(name: str, env: Mapping[str, str]) -> ServerSettings:
    """The settings of service `name`, from the environment with `env` over it; raises BadSettingsError."""
    settings_type: type[ServerSettings] = import_module(f"services.{name}.settings").Settings
    prefix = str(settings_type.model_config.get("env_prefix", ""))
    given = {key.removeprefix(prefix).lower(): value for key, value in env.items() if key.startswith(prefix)}
    try:
        return settings_type(**{key: value for key, value in given.items() if value != ""})  # type: ignore[arg-type]
    except ValidationError as error:
        problems = [
            f"{(prefix + str(problem['loc'][0])).upper() if problem['loc'] else name}: {problem['msg']}, "
            f"got {problem['input']!r}"
            for problem in error.errors()
        ]
        raise BadSettingsError("\n".join(problems)) from error


def _with_free_ports(name: str, env: Mapping[str, str]) -> dict[str, str]:
    port, metrics_port = free_ports(2)
    chosen = {_variable(name, "port"): str(port)}
    if name != ORCHESTRATOR:
        chosen[_variable(name, "metrics_port")] = str(metrics_port)
    return dict(env) | chosen


def _variable(name: str, setting: str) -> str:
    return f"VOXFLEET_{name}_{setting}".upper()
