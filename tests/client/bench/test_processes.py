import os
import subprocess
import sys

import pytest

from client.bench.processes import ProcessSample, cpu_spent, sample, sample_all

linux = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


@linux
def test_a_process_is_sampled() -> None:
    before = sample(os.getpid())
    held = [open(os.devnull) for _ in range(3)]  # noqa: SIM115 - to be counted
    spent = sum(number * number for number in range(3_000_000))
    after = sample(os.getpid())
    assert before is not None
    assert after is not None
    assert after.cpu_s > before.cpu_s
    assert after.rss_bytes > 1 << 20
    assert after.threads >= 1
    assert before.open_files is not None
    assert after.open_files == before.open_files + 3
    for file in held:
        file.close()
    assert spent > 0


def test_a_process_that_is_gone_has_no_sample() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert sample(process.pid) is None
    assert sample_all({"gone": process.pid}) == {}


def test_cpu_is_what_was_spent_in_between() -> None:
    before = {"a": _sample(1, 2.0), "b": _sample(2, 5.0), "gone": _sample(3, 1.0)}
    after = {"a": _sample(1, 2.5), "b": _sample(9, 0.1), "new": _sample(4, 1.0)}
    assert cpu_spent(before, after) == {"a": 0.5}  # b was started again in between


def _sample(pid: int, cpu_s: float) -> ProcessSample:
    return ProcessSample(pid, cpu_s, rss_bytes=1, threads=1, open_files=1)
