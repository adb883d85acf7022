"""Settings from the environment: all listed, and a bad one named."""

import pytest

from chassis.settings import StageSettings, load
from tests.support.echo_stage import Settings

PROGRAM = "python -m services.echo"


def test_help_lists_every_variable_with_its_default_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        load(Settings, PROGRAM, ["--help"])
    assert exit_.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0]: line for line in lines if line.strip().startswith("VOXFLEET_")}
    assert set(listed) == {f"VOXFLEET_ECHO_{name.upper()}" for name in Settings.model_fields}
    assert {"VOXFLEET_ECHO_PORT", "VOXFLEET_ECHO_DRAIN_S", "VOXFLEET_ECHO_MAX_THRESHOLD"} < set(listed)
    for name, field in Settings.model_fields.items():
        line = listed[f"VOXFLEET_ECHO_{name.upper()}"]
        assert field.description, name
        assert field.description in line
        assert line.endswith(f"[{'' if field.default is None else field.default}]")


def test_an_argument_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        load(Settings, PROGRAM, ["--port", "1"])
    assert exit_.value.code == 2
    assert "unrecognized arguments: --port 1" in capsys.readouterr().err


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFLEET_ECHO_PORT", "4711")
    monkeypatch.setenv("VOXFLEET_ECHO_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("VOXFLEET_ECHO_DRAIN_S", "")
    monkeypatch.setenv("VOXFLEET_ECHO_NO_SUCH_SETTING", "1")
    settings = load(Settings, PROGRAM, [])
    assert (settings.port, settings.log_level) == (4711, "WARNING")
    # Set to nothing is not set.
    assert settings.drain_s == 10


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PORT", "70000", "less than or equal to 65535, got '70000'"),
        ("PORT", "high", "valid integer, unable to parse string as an integer, got 'high'"),
        ("PORT", "65000", "expected a port, because port + 1000 is above 65535"),
        ("MAX_STREAMS", "0", "greater than or equal to 1, got '0'"),
        ("IDLE_TIMEOUT_S", "0", "greater than 0, got '0'"),
        ("DRAIN_S", "-1", "greater than or equal to 0, got '-1'"),
        ("LOG_LEVEL", "loud", "got 'loud'"),
        ("LOG_FORMAT", "xml", "'text' or 'json', got 'xml'"),
    ],
)
def test_a_bad_value_ends_the_program_and_names_the_variable(
    variable: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"VOXFLEET_ECHO_{variable}", value)
    with pytest.raises(SystemExit) as exit_:
        load(Settings, PROGRAM, [])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    named = "METRICS_PORT" if value == "65000" else variable
    assert error.startswith(f"{PROGRAM}: VOXFLEET_ECHO_{named}: ")
    assert complaint in error
    assert error.count("\n") == 1


def test_every_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VOXFLEET_ECHO_PORT", "-1")
    monkeypatch.setenv("VOXFLEET_ECHO_MAX_STREAMS", "many")
    with pytest.raises(SystemExit):
        load(Settings, PROGRAM, [])
    error = capsys.readouterr().err
    assert "VOXFLEET_ECHO_PORT: " in error
    assert "VOXFLEET_ECHO_MAX_STREAMS: " in error


@pytest.mark.parametrize(
    ("port", "metrics_port", "expected"),
    [(8001, None, 9001), (0, None, 0), (8001, 4000, 4000), (8001, 0, 0), (65_000, 4000, 4000)],
)
def test_metrics_are_a_thousand_ports_up_unless_told_otherwise(
    port: int, metrics_port: int | None, expected: int
) -> None:
    assert StageSettings(port=port, metrics_port=metrics_port).prometheus_port == expected
