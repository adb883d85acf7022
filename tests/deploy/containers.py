"""The `cpu` profile for real: images are built, the fleet runs in containers, somebody talks to it, a stage dies.

Not among the tests that plain `pytest` collects, because it needs podman, root and minutes: `make test-compose` does.
Where no image registry can be reached, the base image is made from Debian's archive, Prometheus is this machine's own,
and Grafana is left out.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from client.fleet.ports import free_ports
from client.realtime import RealtimeClient
from client.sound.speech import read_wav, write_wav
from client.speaking import ask
from client.turns import Turn
from tests.deploy.files import ROOT, services

STAGES = ("vad", "stt", "llm", "tts")
FLEET = (*STAGES, "orchestrator")
IMAGES = (*FLEET, "client")
KEY = "key-of-the-containers-test"
BASE = "localhost/voxfleet-test-base"
PROMETHEUS = "localhost/voxfleet-test-prometheus"
BUILD_S, START_S, RECOVER_S = 1800.0, 900.0, 180.0
CONTEXT = (
    "chassis",
    "client",
    "deploy",
    "gen",
    "services",
    "constraints.txt",
    "pyproject.toml",
    "weights.toml",
    ".dockerignore",
)


def run(*command: str | Path, timeout_s: float = 120.0, cwd: Path | None = None, check: bool = True) -> str:
    """The standard output of a command; its errors are shown where it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)
    if check and done.returncode:
        raise AssertionError(f"{command} exited with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout.strip()


def say(text: str) -> None:
    print(f"\n{text}", end="", flush=True)


@dataclass(slots=True)
class Containers:
    """The fleet in containers, from a copy of the tree with an environment file of its own."""

    tree: Path
    project: str
    edge: int
    prometheus: int
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Origin of the published edge."""
        return f"http://127.0.0.1:{self.edge}"

    def compose(self, *arguments: str, timeout_s: float = BUILD_S) -> str:
        """Runs podman-compose with the profile `cpu`."""
        return run(
            Path(sys.executable).with_name("podman-compose"),
            *("--file", "deploy/docker-compose.yml", "--env-file", "deploy/.env"),
            *("--project-name", self.project, "--profile", "cpu"),
            # The format of Docker, because the other has no health checks; no isolation that needs a cgroup of its own.
            *("--podman-build-args", "--isolation=chroot --format=docker --layers"),
            *arguments,
            timeout_s=timeout_s,
            cwd=self.tree,
        )

    def name(self, service: str) -> str:
        """The container of a service."""
        return f"{self.project}_{service}_1"

    def pid(self, service: str) -> int:
        """The process of a service; 0 while it has none."""
        return int(run("podman", "inspect", "--format", "{{.State.Pid}}", self.name(service), check=False) or 0)

    def is_healthy(self, service: str) -> bool:
        """Runs the image's health check, as Docker would every few seconds."""
        done = subprocess.run(
            ["podman", "healthcheck", "run", self.name(service)], capture_output=True, timeout=60, check=False
        )
        return done.returncode == 0

    def logs(self) -> str:
        """The last lines of every container."""
        names = run(
            "podman",
            "ps",
            "--all",
            "--filter",
            f"label=com.docker.compose.project={self.project}",
            "--format",
            "{{.Names}}",
        )
        return "\n".join(
            f"--- {name}\n"
            + subprocess.run(
                ["podman", "logs", "--tail", "15", name], capture_output=True, text=True, check=False
            ).stderr
            for name in names.split()
        )


def until(happened: Callable[[], bool], within_s: float, what: str) -> float:
    """Seconds until `happened`; fails after `within_s`."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < within_s, f"{what} within {within_s:.0f} s"
        time.sleep(0.5)
    return time.monotonic() - began


def images(build: Path) -> dict[str, str]:
    """The variables that name the images that no Dockerfile here builds."""
    if given := os.environ.get("VOXFLEET_BASE_IMAGE"):
        return {"VOXFLEET_BASE_IMAGE": given}
    exists = subprocess.run(["podman", "image", "exists", BASE], check=False).returncode == 0
    default = services()["vad"]["build"]["args"]["BASE"]
    if (
        not exists
        and subprocess.run(["podman", "pull", "--quiet", default], capture_output=True, check=False).returncode == 0
    ):
        return {}
    if not exists:
        say("no image registry is in reach: making a base image from Debian's archive")
        run(ROOT / "tests/deploy/base_image.sh", BASE, timeout_s=900)
    build.mkdir()
    prometheus = shutil.which("prometheus")
    assert prometheus is not None, "this machine has no prometheus: apt-get install prometheus"
    shutil.copy(prometheus, build / "prometheus")
    (build / "Dockerfile").write_text(
        f"FROM {BASE}\nCOPY prometheus /bin/prometheus\nRUN install -d -o 65534 -g 65534 /prometheus\nUSER 65534\n"
        'ENTRYPOINT ["/bin/prometheus"]\n'
    )
    run("podman", "build", "--isolation=chroot", "--tag", PROMETHEUS, build, timeout_s=300)
    return {"VOXFLEET_BASE_IMAGE": BASE, "VOXFLEET_PROMETHEUS_IMAGE": PROMETHEUS}


@pytest.fixture(scope="module")
def podman() -> Iterator[None]:
    """Podman told of a machine without systemd, where this is one."""
    with pytest.MonkeyPatch.context() as patch:
        if not Path("/run/systemd/system").exists():
            patch.setenv("CONTAINERS_CONF", str(Path(__file__).with_name("containers.conf")))
        yield


@pytest.fixture(scope="module")
def containers(podman: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """The fleet, built and ready."""
    tree = tmp_path_factory.mktemp("voxfleet")
    for name in CONTEXT:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules", ".env")
            )
        else:
            shutil.copy(ROOT / name, tree / name)
    edge, prometheus, grafana = free_ports(3)
    variables = images(tree / "prometheus-image")
    settings = variables | {
        "VOXFLEET_ORCHESTRATOR_API_KEYS": KEY,
        "VOXFLEET_PUBLISH": f"127.0.0.1:{edge}",
        "VOXFLEET_PROMETHEUS_PUBLISH": f"127.0.0.1:{prometheus}",
        "VOXFLEET_GRAFANA_PUBLISH": f"127.0.0.1:{grafana}",
        "VOXFLEET_TAG": "test",
        # Tests are about what happens, not about when: a busy machine may take its time.
        "VOXFLEET_ORCHESTRATOR_TRANSCRIPT_TIMEOUT_S": "120",
        "VOXFLEET_ORCHESTRATOR_FIRST_TOKEN_TIMEOUT_S": "120",
        "VOXFLEET_ORCHESTRATOR_FIRST_AUDIO_TIMEOUT_S": "120",
        "VOXFLEET_ORCHESTRATOR_TEMPERATURE": "0",
    }
    (tree / "deploy/.env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    fleet = Containers(tree, f"voxfleet-test-{os.getpid()}", edge, prometheus, variables)
    try:
        began = time.monotonic()
        for service in ("weights", *FLEET):
            # One after the other: they share their first layers.
            fleet.compose("build", service)
        say(f"images built in {time.monotonic() - began:.0f} s")
        for image in IMAGES:
            size = int(run("podman", "image", "inspect", "--format", "{{.Size}}", f"voxfleet/{image}:test"))
            say(f"  {image:<13} {size / 1e6:7.0f} MB")
        began = time.monotonic()
        watchers = ["prometheus"] if "VOXFLEET_PROMETHEUS_IMAGE" in variables else ["prometheus", "grafana"]
        # Podman starts no container again whose dependency has ended, as that of the weights has: so each by itself.
        fleet.compose("up", "--detach", "--no-build", "--no-deps", "weights")
        status = run("podman", "wait", fleet.name("weights"), timeout_s=START_S)
        assert status == "0", "the weights could not be pulled"
        say(f"weights pulled after {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        fleet.compose("up", "--detach", "--no-build", "--no-deps", *FLEET, *watchers)
        for service in FLEET:
            until(lambda service=service: fleet.is_healthy(service), START_S, f"{service} is healthy")  # type: ignore[misc]
        say(f"fleet healthy after {time.monotonic() - began:.0f} s\n")
        yield fleet
    except BaseException:
        say(fleet.logs())
        raise
    finally:
        fleet.compose("down", "--volumes")


def get(url: str, key: str | None = None, body: Mapping[str, object] | None = None) -> tuple[int, bytes]:
    """Status and body of a request."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, headers), timeout=60) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def question(containers: Containers, text: str, folder: Path) -> bytes:
    """`text`, spoken by the fleet itself through the published port."""
    wish = {"model": "voxfleet", "input": text, "response_format": "pcm"}
    status, pcm = get(f"{containers.url}/v1/audio/speech", KEY, wish)
    assert status == 200, pcm
    write_wav(folder / "question.wav", pcm)
    return pcm


def describe(turn: Turn) -> str:
    v2v = "" if turn.voice_to_voice_ms is None else f", {turn.voice_to_voice_ms:.0f} ms voice to voice"
    return f"asked {turn.understood!r}, answered {turn.answer!r}: {turn.reply_s:.1f} s of speech{v2v}"


def test_weights_came_with_their_progress(containers: Containers) -> None:
    lines = subprocess.run(["podman", "logs", containers.name("weights")], capture_output=True, text=True, check=False)
    assert "qwen2.5-1.5b-q4: ready" in lines.stdout
    assert "qwen2.5-1.5b-q4: fetching" in lines.stderr


@pytest.mark.parametrize("service", FLEET)
def test_a_container_runs_without_rights_and_cannot_change_its_image(containers: Containers, service: str) -> None:
    inside = ("podman", "exec", containers.name(service))
    assert run(*inside, "id", "-u") == "10001"
    assert run(*inside, "sh", "-c", "touch /app/x 2>/dev/null || echo read-only") == "read-only"
    assert run(*inside, "sh", "-c", "grep CapEff /proc/1/status").split()[-1].strip("0") == ""
    assert run(*inside, "sh", "-c", "for each in gcc cc make; do command -v $each || true; done") == ""
    assert run(*inside, "python", "-c", "import importlib.util; print(importlib.util.find_spec('pip'))") == "None"


def test_nobody_gets_in_without_the_key(containers: Containers) -> None:
    assert get(f"{containers.url}/v1/models")[0] == 401
    assert get(f"{containers.url}/v1/models", KEY)[0] == 200
    assert get(f"{containers.url}/readyz")[0] == 200


def test_prometheus_sees_every_server(containers: Containers) -> None:
    def up() -> list[str]:
        status, body = get(f"http://127.0.0.1:{containers.prometheus}/api/v1/query?query={quote('up == 1')}")
        answer: dict[str, Any] = json.loads(body) if status == 200 else {"data": {"result": []}}
        return sorted(each["metric"]["service"] for each in answer["data"]["result"])

    until(lambda: up() == sorted(FLEET), 60, "every server is up in Prometheus")


async def test_a_conversation_survives_the_death_of_a_stage(containers: Containers, tmp_path: Path) -> None:
    first, second = await asyncio.gather(
        asyncio.to_thread(question, containers, "What is the capital of France?", tmp_path),
        asyncio.to_thread(question, containers, "And what is the capital of Italy?", tmp_path),
    )
    url = containers.url.replace("http", "ws") + "/v1/realtime"
    async with RealtimeClient.connect(url, api_key=KEY) as client:
        await client.update(language="en")
        turn = await ask(client, first, stall_s=150)
        say(describe(turn))
        assert turn.problem is None
        assert "paris" in turn.answer.lower()

        killed = await asyncio.to_thread(containers.pid, "stt")
        os.kill(killed, signal.SIGKILL)
        took = await asyncio.to_thread(
            until,
            lambda: containers.pid("stt") not in (0, killed) and containers.is_healthy("stt"),
            RECOVER_S,
            "stt is back",
        )
        say(f"the speech-to-text container was killed and is back after {took:.1f} s")
        await asyncio.to_thread(
            until, lambda: get(f"{containers.url}/readyz")[0] == 200, RECOVER_S, "the edge is ready"
        )

        turn = await ask(client, second, stall_s=150)
        say(describe(turn))
        assert turn.problem is None
        assert "rome" in turn.answer.lower()


def test_the_command_holds_a_conversation_through_the_published_port(containers: Containers, tmp_path: Path) -> None:
    question(containers, "What is the capital of Spain?", tmp_path)
    command = [
        sys.executable,
        "-m",
        "client",
        "talk",
        "--wav",
        str(tmp_path / "question.wav"),
        "--out",
        str(tmp_path / "reply.wav"),
    ]
    talk = subprocess.run(
        [*command, "--url", f"ws://127.0.0.1:{containers.edge}/v1/realtime"],
        env=os.environ | {"VOXFLEET_API_KEY": KEY, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert talk.returncode == 0, talk.stdout + talk.stderr
    say(talk.stdout)
    assert len(read_wav(tmp_path / "reply.wav")) > 24_000
