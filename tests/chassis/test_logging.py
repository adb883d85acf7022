"""Log records as they reach standard error."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.context import CallContext, current
from chassis.logging import LogFormat, configure

log = logging.getLogger("tests.log")


@pytest.fixture(autouse=True)
def root_logger_restored() -> Iterator[None]:
    """Takes the handlers and levels that a test sets away again."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in (None, "uvicorn", "websockets", "aiortc")}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def call_of_a_turn() -> Iterator[None]:
    """Runs the test on behalf of the turn t1 of the session s1."""
    token = current.set(CallContext("s1", "t1", "00-trace-span-01"))
    yield
    current.reset(token)


def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.usefixtures("call_of_a_turn")
def test_a_json_record_is_one_line_with_its_session_turn_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log.info("drained %d streams", 3, extra={"drain_s": 1.5, "who": "第一"})
    [record] = records(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    assert record == {
        "level": "info",
        "logger": "tests.log",
        "message": "drained 3 streams",
        "session_id": "s1",
        "turn_id": "t1",
        "drain_s": 1.5,
        "who": "第一",
    }


def test_ids_that_do_not_exist_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log.info("warming", extra={"port": 0})
    [record] = records(capsys)
    assert set(record) == {"time", "level", "logger", "message", "port"}


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_configuring_again_does_not_double_records(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        configure("info", log_format)
    log.info("once")
    assert capsys.readouterr().err.count("once") == 1


def test_each_task_logs_its_own_ids(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")

    async def turn(name: str) -> None:
        current.set(CallContext("s1", name))
        for _ in range(2):
            await asyncio.sleep(0)
            log.info(name)

    async def session() -> None:
        await asyncio.gather(turn("t1"), turn("t2"))
        log.info("after")

    asyncio.run(session())
    assert [(record["message"], record.get("turn_id")) for record in records(capsys)] == [
        ("t1", "t1"),
        ("t2", "t2"),
        ("t1", "t1"),
        ("t2", "t2"),
        ("after", None),
    ]


def test_a_level_below_the_configured_one_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure("WARNING", "json")
    log.info("quiet")
    log.warning("loud")
    assert [(record["level"], record["message"]) for record in records(capsys)] == [("warning", "loud")]


def test_an_exception_stays_inside_its_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log.error("stream failed", exc_info=ValueError("no such thing"))
    [record] = records(capsys)
    assert record["message"] == "stream failed"
    assert record["exception"] == "ValueError: no such thing"


def test_a_value_that_json_does_not_know_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log.info("pulled", extra={"languages": {"fr"}})
    assert records(capsys)[0]["languages"] == "{'fr'}"


@pytest.mark.usefixtures("call_of_a_turn")
def test_a_text_record_reads_well_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    log.warning("slow", extra={"ms": 12})
    line = capsys.readouterr().err
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} warning tests\.log: slow ms=12 session_id=s1 turn_id=t1\n", line)


def test_a_text_record_ends_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    log.error("stream failed", exc_info=ValueError("no such thing"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("error   tests.log: stream failed")
    assert lines[1] == "ValueError: no such thing"


def test_libraries_that_write_what_passes_them_are_never_at_the_debug_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    logging.getLogger("uvicorn.error").debug("< Authorization: Bearer key")
    logging.getLogger("websockets.server").debug("> TEXT transcript")
    logging.getLogger("uvicorn.error").info("started")
    log.debug("our own")
    assert [record["message"] for record in records(capsys)] == ["started", "our own"]
