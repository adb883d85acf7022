"""The supervisor over real processes and real signals."""

import asyncio
import os
import socket

import pytest

from client.fleet.backoff import RestartLimits
from client.fleet.leash import LeashMode
from client.fleet.plan import ProcessPlan
from client.fleet.processes import ManagedProcess, ProcessState
from client.fleet.supervisor import FleetError, NotReadyError, PortInUseError, Supervisor
from tests.support.fleets import IMPATIENT, QUICK, Log, ended, eventually, fleet_of, scripted

READY_S = 20.0


def supervisor(*processes: ProcessPlan, log: Log | None = None, leash: LeashMode = "pdeathsig") -> Supervisor:
    plan = fleet_of(*processes)
    return Supervisor(plan, log=log or Log(), limits=IMPATIENT, pace=QUICK, leash=leash)


def pid_of(process: ManagedProcess) -> int:
    assert process.pid is not None
    return process.pid


async def test_a_server_goes_from_starting_over_warming_to_ready() -> None:
    async with supervisor(scripted("llm", "--warm-s", "0.3", grpc=True)) as fleet:
        for state in (ProcessState.STARTING, ProcessState.WARMING, ProcessState.READY):
            await eventually(lambda state=state: fleet.processes["llm"].state is state)  # type: ignore[misc]
        assert await fleet.ready(READY_S) > 0.3
    assert fleet.processes["llm"].state is ProcessState.STOPPED


async def test_the_fleet_is_ready_when_its_slowest_server_is() -> None:
    async with supervisor(scripted("fast"), scripted("slow", "--warm-s", "0.5")) as fleet:
        await eventually(lambda: fleet.processes["fast"].state is ProcessState.READY)
        assert not fleet.all_ready
        await fleet.ready(READY_S)
        assert fleet.all_ready


async def test_a_fleet_that_takes_too_long_says_what_it_waits_for() -> None:
    async with supervisor(scripted("fast"), scripted("slow", "--warm-s", "60")) as fleet:
        await eventually(lambda: fleet.processes["slow"].state is ProcessState.WARMING)
        await eventually(lambda: fleet.processes["fast"].state is ProcessState.READY)
        with pytest.raises(NotReadyError, match=r"not ready after 0.1 s: fast ready, slow warming"):
            await fleet.ready(0.1)


async def test_output_of_both_streams_comes_line_by_line_under_the_name_of_its_process() -> None:
    log = Log()
    writers = [scripted(name, "--flood-lines", "300") for name in ("a", "b")]
    async with supervisor(*writers, log=log) as fleet:
        await fleet.ready(READY_S)
    for name in ("a", "b"):
        assert log.of(name)[:300] == [f"line {number} ends" for number in range(300)]


async def test_a_process_gets_its_own_environment_and_process_group() -> None:
    log = Log()
    async with supervisor(scripted("a", SCRIPTED="mine"), log=log) as fleet:
        await fleet.ready(READY_S)
        await eventually(lambda: any("setting mine" in text for text in log.of("a")))
        assert log.number_after("a", "pid") == fleet.processes["a"].pid
        assert log.number_after("a", "group") == fleet.processes["a"].pid


async def test_a_killed_process_is_restarted_and_it_is_said_so() -> None:
    log = Log()
    async with supervisor(scripted("stt"), scripted("llm"), log=log) as fleet:
        await fleet.ready(READY_S)
        before, untouched = pid_of(fleet.processes["llm"]), pid_of(fleet.processes["stt"])
        await fleet.kill("llm")
        assert fleet.processes["llm"].state is ProcessState.RESTARTING
        await fleet.ready(READY_S)
        assert fleet.processes["llm"].pid not in (None, before)
        assert fleet.processes["llm"].restarts == 1
        assert fleet.processes["stt"].pid == untouched
        assert "llm was killed by SIGKILL; starting it again in 0.05 s" in log.of("voxfleet")


async def test_a_server_that_is_ready_no_more_is_waited_for_again() -> None:
    async with supervisor(scripted("llm")) as fleet:
        await fleet.ready(READY_S)
        os.kill(pid_of(fleet.processes["llm"]), 9)  # unseen by the supervisor as yet
        await fleet.ready(READY_S)
        assert fleet.processes["llm"].restarts == 1


async def test_refused_settings_end_the_fleet_at_once_with_the_reason() -> None:
    log = Log()
    async with supervisor(scripted("ok"), scripted("stt", "--exit-with", "2"), log=log) as fleet:
        reason = r"(?s)^stt exited with status 2: refused its settings.*VOXFLEET_X_PORT: cannot be like this$"
        with pytest.raises(FleetError, match=reason):
            await fleet.ready(READY_S)
        assert fleet.processes["stt"].restarts == 0
        with pytest.raises(FleetError, match="stt exited with status 2"):
            await fleet.watch()
    assert fleet.processes["ok"].state is ProcessState.STOPPED
    assert fleet.processes["stt"].state is ProcessState.FAILED


async def test_a_process_that_cannot_start_is_given_up_after_some_tries() -> None:
    async with supervisor(scripted("stt", "--exit-with", "1")) as fleet:
        with pytest.raises(FleetError, match="never became ready in 3 starts"):
            await fleet.ready(READY_S)
        assert fleet.processes["stt"].restarts == 2


async def test_stopping_while_a_process_waits_for_its_restart_does_not_wait() -> None:
    plan = fleet_of(scripted("stt", "--exit-with", "1"))
    async with asyncio.timeout(10), Supervisor(plan, log=Log(), limits=RestartLimits(initial_s=30)) as fleet:
        await eventually(lambda: fleet.processes["stt"].state is ProcessState.RESTARTING)
    assert fleet.processes["stt"].state is ProcessState.STOPPED


async def test_the_caller_is_gone_before_its_stages_are_told_to_stop() -> None:
    log = Log()
    stages = [scripted("vad"), scripted("stt")]
    async with supervisor(*stages, scripted("orchestrator", depends_on=("vad", "stt")), log=log) as fleet:
        await fleet.ready(READY_S)
    stopped_at = {name: float(log.of(name)[-1].removeprefix("stopped at ")) for name in ("vad", "stt", "orchestrator")}
    assert stopped_at["orchestrator"] < min(stopped_at["vad"], stopped_at["stt"])


async def test_a_process_that_ignores_sigterm_is_killed_after_its_drain_time() -> None:
    log = Log()
    async with supervisor(scripted("tts", "--ignore-sigterm", drain_s=0.2), log=log) as fleet:
        await fleet.ready(READY_S)
        pid = pid_of(fleet.processes["tts"])
    await ended(pid)
    assert "ignoring SIGTERM" in log.of("tts")
    assert "tts did not end within 0.2 s of SIGTERM; killing it" in log.of("voxfleet")


async def test_descendants_of_a_dead_process_die_with_it() -> None:
    log = Log()
    async with supervisor(scripted("llm", "--descendant"), log=log) as fleet:
        await fleet.ready(READY_S)
        descendant = log.number_after("llm", "descendant")
        await fleet.kill("llm")
        await ended(descendant)


async def test_a_port_in_use_is_reported_before_anything_starts() -> None:
    taken_plan, free_plan = scripted("llm"), scripted("stt")
    log = Log()
    reason = r"^llm: port \d+ on 127.0.0.1 is already in use; VOXFLEET_LLM_PORT chooses another$"
    with socket.create_server(("127.0.0.1", taken_plan.claims[0].port)), pytest.raises(PortInUseError, match=reason):
        await supervisor(free_plan, taken_plan, log=log).__aenter__()
    assert log.lines == []


async def test_an_error_in_the_body_stops_the_fleet_and_passes_unchanged() -> None:
    pids = list[int]()

    async def body() -> None:
        async with supervisor(scripted("a")) as fleet:
            await fleet.ready(READY_S)
            pids.append(pid_of(fleet.processes["a"]))
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await body()
    await ended(pids[0])


async def test_cancelling_the_body_stops_the_fleet() -> None:
    pids = list[int]()

    async def body() -> None:
        async with supervisor(scripted("a"), scripted("b")) as fleet:
            await fleet.ready(READY_S)
            pids.extend(pid_of(process) for process in fleet.processes.values())
            await fleet.watch()

    task = asyncio.create_task(body())
    await eventually(lambda: len(pids) == 2, READY_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for pid in pids:
        await ended(pid)


async def test_leaving_while_processes_still_start_leaves_nobody_behind() -> None:
    async with supervisor(scripted("a"), scripted("b", grpc=True)) as fleet:
        await asyncio.sleep(0)
    assert {process.state for process in fleet.processes.values()} == {ProcessState.STOPPED}
    assert {process.pid for process in fleet.processes.values()} == {None}


async def test_stopping_twice_is_as_good_as_once() -> None:
    async with supervisor(scripted("tts", "--ignore-sigterm", drain_s=0.3)) as fleet:
        await fleet.ready(READY_S)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fleet.stop())
            await eventually(lambda: fleet.processes["tts"].state is ProcessState.STOPPING)
            tasks.create_task(fleet.stop())
        assert fleet.processes["tts"].state is ProcessState.STOPPED


async def test_two_fleets_run_side_by_side() -> None:
    async with supervisor(scripted("a")) as one, supervisor(scripted("a")) as other:
        await one.ready(READY_S)
        await other.ready(READY_S)
        assert one.processes["a"].pid != other.processes["a"].pid


async def test_the_fallback_leash_runs_a_fleet_just_as_well() -> None:
    async with supervisor(scripted("a"), leash="eof") as fleet:
        await fleet.ready(READY_S)
        await fleet.kill("a")
        await fleet.ready(READY_S)
        assert fleet.processes["a"].restarts == 1
    assert fleet.processes["a"].state is ProcessState.STOPPED
