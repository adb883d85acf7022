"""The Dockerfile: what linters say of it, and that each target is what a service needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT, targets

STAGES = ("vad", "stt", "llm", "tts")
GPU = ("stt-gpu", "llm-gpu", "tts-gpu")
HADOLINT = Path(sys.executable).with_name("hadolint")


def block(target: str) -> list[str]:
    """The instructions of `target`, without those of the stage that it begins from."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    own = text.split(f" AS {target}\n")[1].split("\nFROM ")[0]
    return own.splitlines()


def test_the_linter_finds_nothing() -> None:
    found = subprocess.run([HADOLINT, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_every_service_has_a_target() -> None:
    assert set(targets()) == {*STAGES, *GPU, "orchestrator", "client"}


@pytest.mark.parametrize("target", [*STAGES, *GPU, "orchestrator", "client"])
def test_a_container_runs_as_somebody_without_rights_and_is_asked_whether_it_is_healthy(target: str) -> None:
    lines = block(target)
    assert "USER 10001:10001" in lines
    assert lines.index("USER 10001:10001") > max(n for n, line in enumerate(lines) if line.startswith("COPY"))
    assert sum(line.startswith("HEALTHCHECK") for line in lines) == 1


@pytest.mark.parametrize("target", [*STAGES, *GPU])
def test_a_stage_s_image_holds_its_own_code_and_asks_its_own_port(target: str) -> None:
    stage = target.removesuffix("-gpu")
    lines, port = block(target), 8001 + STAGES.index(stage)
    copied = [line.split()[1] for line in lines if line.startswith("COPY") and "deploy/gpu/" not in line]
    assert copied == ["gen", "chassis", "weights.toml", "services/__init__.py", f"services/{stage}"]
    assert f'ENTRYPOINT ["python", "-m", "services.{stage}"]' in lines
    assert f"ENV PATH=/opt/venv/bin:$PATH VOXFLEET_{stage.upper()}_HOST=0.0.0.0" in lines
    assert f"EXPOSE {port} {port + 1000}" in lines
    assert any(line.endswith(f'CMD ["python", "-m", "chassis.probe", "127.0.0.1:{port}"]') for line in lines)


def requirements(*extras: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DEPLOY / "requirements.py"), *extras]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_requirements_are_those_of_the_project() -> None:
    assert any(line.startswith("grpcio>=") for line in requirements().stdout.splitlines())
    embedded = requirements("embedded").stdout.splitlines()
    assert set(requirements("stt").stdout.splitlines()) < set(embedded)
    assert not any(line.startswith("voxfleet") for line in embedded)


def test_an_extra_that_is_not_there_is_told_by_name() -> None:
    answer = requirements("sst")
    assert answer.returncode == 2
    assert "unknown extra sst" in answer.stderr
    assert "stt" in answer.stderr


@pytest.mark.parametrize("name", ["stt", "llm", "tts"])
def test_a_lock_of_the_gpu_packages_pins_every_package_and_what_the_server_needs(name: str) -> None:
    lines = (DEPLOY / "gpu" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert all("==" in line for line in lines)
    pinned = {line.split("==")[0].split("[")[0].replace("_", "-").lower() for line in lines}
    extras = {"stt": ["stt"], "llm": [], "tts": ["tts"]}[name]
    needed = requirements().stdout.splitlines() + [
        line for each in extras for line in requirements(each).stdout.splitlines()
    ]
    names = {line.split(">")[0].split("=")[0].split("<")[0].replace("_", "-").lower() for line in needed}
    assert names <= pinned
