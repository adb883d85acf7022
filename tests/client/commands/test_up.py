"""`voxfleet up` as people use it: a process, its output, its signals, its exit status."""

import asyncio
import os
import signal
import socket
import sys

import pytest

from tests.support.fleets import ended
from tests.support.runner import running_up


async def test_a_pipe_gets_plain_prefixed_lines_and_one_line_that_says_ready() -> None:
    async with running_up("stt", "llm") as runner:
        await runner.says("the fleet is ready")
        runner.process.send_signal(signal.SIGTERM)
        assert await runner.exit_status() == 0
    lines = runner.output.splitlines()
    assert {line.split(" |")[0].strip() for line in lines} == {"voxfleet", "stt", "llm"}
    assert "\x1b" not in runner.output
    assert sum("the fleet is ready after " in line and "stt on 127.0.0.1:" in line for line in lines) == 1
    assert lines[-1] == "voxfleet     | stopped"


async def test_lines_of_two_busy_processes_stay_whole() -> None:
    async with running_up("stt:--flood-lines,400", "llm:--flood-lines,400") as runner:
        await runner.says("the fleet is ready")
        runner.process.send_signal(signal.SIGINT)
        await runner.exit_status()
    for name in ("stt", "llm"):
        shown = [line for line in runner.output.splitlines() if line.startswith(name) and " ends" in line]
        assert shown == [f"{name:<12} | line {number} ends" for number in range(400)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_drains_the_fleet(number: signal.Signals) -> None:
    async with running_up("stt", "llm") as runner:
        await runner.says("the fleet is ready")
        pids = [runner.number_after(name, "pid") for name in ("stt", "llm")]
        runner.process.send_signal(number)
        assert await runner.exit_status() == 0
        assert "voxfleet     | draining; again to kill" in runner.output
        assert runner.output.count("stopped at") == 2
    for pid in pids:
        await ended(pid)


async def test_a_signal_during_warm_up_stops_the_fleet_too() -> None:
    async with running_up("stt:--warm-s,60") as runner:
        await runner.says("pid ")
        runner.process.send_signal(signal.SIGINT)
        assert await runner.exit_status() == 0


async def test_a_second_ctrl_c_kills_at_once() -> None:
    async with running_up("stt", "llm:--ignore-sigterm") as runner:
        await runner.says("the fleet is ready")
        pid = runner.number_after("llm", "pid")
        runner.process.send_signal(signal.SIGINT)
        await runner.says("ignoring SIGTERM")
        runner.process.send_signal(signal.SIGINT)
        assert await runner.exit_status() == 130
        assert "voxfleet     | killing every process" in runner.output
    await ended(pid)


async def test_refused_settings_end_it_with_the_servers_own_message() -> None:
    async with running_up("llm", "stt:--exit-with,2") as runner:
        assert await runner.exit_status() == 1
    assert "stt          | VOXFLEET_X_PORT: cannot be like this" in runner.output
    assert "stt exited with status 2: refused its settings" in runner.output


async def voxfleet(*args: str, **env: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client", *args),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1", **env},
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_port_in_use_is_named_with_its_variable_and_nothing_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        status, output = await voxfleet("up", "--only", "vad", VOXFLEET_VAD_PORT=str(port))
    assert status == 1
    assert output == (
        f"voxfleet up: vad: port {port} on 127.0.0.1 is already in use; VOXFLEET_VAD_PORT chooses another\n"
    )


async def test_a_bad_setting_is_named_before_anything_starts() -> None:
    status, output = await voxfleet("up", "--only", "vad", VOXFLEET_VAD_PORT="eight")
    assert status == 2
    assert output.startswith("voxfleet up: VOXFLEET_VAD_PORT: ")


async def test_an_unknown_service_is_misuse() -> None:
    status, output = await voxfleet("up", "--only", "vad,asr")
    assert status == 2
    assert output == "voxfleet up: unknown service asr; services: vad, stt, llm, tts, orchestrator\n"
