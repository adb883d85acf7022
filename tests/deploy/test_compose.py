"""The Compose files: their schema, what every container may do, and a dry run of the settings that they give."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from chassis import metrics
from chassis.settings import ServerSettings
from chassis.weights import open_store
from services.llm.engines import ENGINES as LLM_ENGINES
from services.orchestrator.settings import INSTRUCTIONS
from services.stt.engines import ENGINES as STT_ENGINES
from services.tts.engines import ENGINES as TTS_ENGINES
from tests.deploy.files import COMPOSE, DEPLOY, MPS, PROFILES, services, targets

STAGES = ("vad", "stt", "llm", "tts")
OTHERS = ("prometheus", "grafana")


@pytest.mark.parametrize("file", [COMPOSE, MPS], ids=lambda file: file.name)
def test_a_compose_file_keeps_to_the_specification(file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_starts_the_whole_fleet_and_those_who_watch_it(profile: str) -> None:
    names = {name.removesuffix("-gpu") for name in services(profile=profile)}
    assert names == {*STAGES, "orchestrator", "weights", *OTHERS}


@pytest.mark.parametrize("name", services())
def test_a_container_may_do_nothing_that_it_need_not(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"memory", "pids"}
    assert service["restart"] == ("on-failure:3" if name.startswith("weights") else "unless-stopped")


@pytest.mark.parametrize("name", services())
def test_nothing_is_published_to_other_machines_unless_somebody_says_so(name: str) -> None:
    published = services()[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert bool(published) is (name in {"orchestrator", *OTHERS})


@pytest.mark.parametrize("name", services())
def test_only_the_edge_is_given_its_keys(name: str) -> None:
    service = services()[name]
    reads_the_file = bool(service.get("env_file"))
    hidden = service.get("environment", {}).get("VOXFLEET_ORCHESTRATOR_API_KEYS") == ""
    assert (reads_the_file and not hidden) is (name == "orchestrator")


@pytest.mark.parametrize("name", services())
def test_an_image_is_built_from_a_target_or_pinned(name: str) -> None:
    service = services()[name]
    if name in OTHERS:
        assert re.fullmatch(r"docker\.io/[\w/]+:v?\d+\.\d+\.\d+", service["image"])
    elif name == "weights-gpu":
        assert service["image"] == services()["weights"]["image"]
    else:
        assert service["build"]["target"] in targets()
        assert service["image"] == f"voxfleet/{service['build']['target']}:latest"


@pytest.mark.parametrize("profile", PROFILES)
def test_whoever_is_waited_for_is_there_or_need_not_be(profile: str) -> None:
    started = services(profile=profile)
    for service in started.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in started or how["required"] is False
    waited_for = {name for name in started["orchestrator"]["depends_on"] if name in started}
    assert {name.removesuffix("-gpu") for name in waited_for} == set(STAGES)


def test_the_language_model_starts_last_on_the_card() -> None:
    conditions = services()["llm-gpu"]["depends_on"]
    assert all(conditions[stage]["condition"] == "service_healthy" for stage in ("stt-gpu", "tts-gpu"))


def settings_of(name: str, service: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **env: str) -> Any:
    """The settings that the server in a container of `service` reads: its image's, its file's (`env`), its own."""
    given = {f"VOXFLEET_{name.upper()}_HOST": "0.0.0.0"} | env | service["environment"]
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    settings: type[ServerSettings] = import_module(f"services.{name}.settings").Settings
    return settings()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VOXFLEET_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_servers_take_their_settings_and_find_each_other(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started = services(profile=profile)
    keys = {"VOXFLEET_ORCHESTRATOR_API_KEYS": "k" * 32}
    edge = settings_of("orchestrator", started["orchestrator"], monkeypatch, **keys)
    assert edge.needs_key
    for stage in STAGES:
        name = stage if stage in started else f"{stage}-gpu"
        service = started[name]
        aliases = service.get("networks", {}).get("default", {}).get("aliases", [name])
        server = settings_of(stage, service, monkeypatch, **keys)
        assert getattr(edge, f"{stage}_target") == f"{aliases[0]}:{server.port}"


def test_an_edge_without_a_key_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="expected API keys, because it is on"):
        settings_of("orchestrator", services()["orchestrator"], monkeypatch, VOXFLEET_ORCHESTRATOR_API_KEYS="")


def test_an_open_edge_is_somebody_s_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    file = {"VOXFLEET_ORCHESTRATOR_AUTH": "off"}
    service = services(env=file)["orchestrator"]
    assert settings_of("orchestrator", service, monkeypatch, **file).needs_key is False


def test_the_weights_are_those_that_the_embedded_engines_load(monkeypatch: pytest.MonkeyPatch) -> None:
    started = services(profile="cpu")
    wanted = [model for stage in STAGES for model in settings_of(stage, started[stage], monkeypatch).models]
    assert started["weights"]["command"] == ["weights", "pull", *wanted]
    assert {open_store().catalog[model].name for model in wanted} == set(wanted)


def test_the_gpu_s_engines_are_chosen_with_weights_from_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    started = services(profile="gpu")
    stt = settings_of("stt", started["stt-gpu"], monkeypatch)
    llm = settings_of("llm", started["llm-gpu"], monkeypatch)
    tts = settings_of("tts", started["tts-gpu"], monkeypatch)
    assert (stt.device, stt.compute_type, str(stt.model_path)) == ("cuda", "float16", "/weights/stt-gpu")
    assert (llm.engine, llm.model, llm.models) == ("vllm", "/weights/llm-gpu", ())
    assert (tts.engine, str(tts.fish_weights), tts.models) == ("fish_speech", "/weights/tts-gpu", ())
    assert stt.engine in STT_ENGINES
    assert llm.engine in LLM_ENGINES
    assert tts.engine in TTS_ENGINES
    script = started["weights-gpu"]["command"][0]
    assert set(re.findall(r"--local-dir (\S+?)(?:;|\s)", script)) == {
        "/weights/stt-gpu",
        "/weights/llm-gpu",
        "/weights/tts-gpu",
    }


@pytest.mark.parametrize("name", ["llm", "llm-gpu"])
def test_the_language_model_is_warmed_with_the_orchestrator_s_instructions(name: str) -> None:
    variable = "VOXFLEET_LLM_WARM_INSTRUCTIONS"
    assert services()[name]["environment"][variable] == INSTRUCTIONS
    own = services(env={"VOXFLEET_ORCHESTRATOR_INSTRUCTIONS": "Be brief."})
    assert own[name]["environment"][variable] == "Be brief."


def test_the_memory_budget_adds_up_and_is_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    text = COMPOSE.read_text(encoding="utf-8").split("# The memory of one card")[1].split("x-gpu:")[0]
    weights, cache, rest, share, *others = (float(each) for each in re.findall(r"\s(\d+\.\d) GB$", text, re.MULTILINE))
    total, free = (float(each) for each in re.findall(r"(\d+\.\d) GB(?:,| stay)", text))
    assert weights + cache + rest <= share
    assert share + sum(others) == pytest.approx(total)
    assert total + free == pytest.approx(80.0)
    llm = settings_of("llm", services()["llm-gpu"], monkeypatch)
    assert 80.0 * llm.vllm_gpu_memory_utilization == pytest.approx(share)


def test_prometheus_asks_every_server_where_it_tells_its_metrics() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    asked = [target for entry in config["scrape_configs"][0]["static_configs"] for target in entry["targets"]]
    assert asked == ["orchestrator:8000", "vad:9001", "stt:9002", "llm:9003", "tts:9004"]


def test_the_dashboard_shows_metrics_that_exist() -> None:
    fleet = [each for each in vars(metrics).values() if isinstance(each, Counter | Gauge | Histogram)]
    names = {family.name for each in fleet for family in each.collect()} | {"process_resident_memory_bytes"}
    known = names | {f"{name}_{suffix}" for name in names for suffix in ("total", "bucket", "sum", "count")}
    board = json.loads((DEPLOY / "grafana/dashboards/voxfleet.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    shown = {name for each in expressions for name in re.findall(r"\b(?:voxfleet|process)_\w+", each)}
    assert "voxfleet_stage_latency_seconds_bucket" in shown
    assert shown <= known
    provisioned = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )
    used = {panel["datasource"]["uid"] for panel in board["panels"]}
    assert used == {source["uid"] for source in provisioned["datasources"]}
