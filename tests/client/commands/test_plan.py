import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from client.__main__ import COMMANDS
from client.commands.plan import app
from client.planning import plan as plan_module
from client.planning import simulation as simulation_module
from client.planning import validation as validation_module

QUICK = ("--minutes", "0.3", "--sessions", "1,12", "--slo-ms", "410")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tables are made of is tested beside it; here a little of it will do."""
    monkeypatch.setattr(simulation_module, "WARM_UP_S", 5.0)
    monkeypatch.setattr(simulation_module, "STAGGER_S", 2.0)
    monkeypatch.setattr(validation_module, "SECONDS", 60.0)
    monkeypatch.setattr(plan_module, "LADDER_MS", (400.0, 420.0))


def plan(*args: str) -> Result:
    return CliRunner().invoke(app, args)


def test_it_is_a_sub_command() -> None:
    assert COMMANDS["plan"] == "client.commands.plan:app"


def test_every_voice_of_the_card_is_planned_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "new" / "capacity.svg"
    result = plan(*QUICK, "--picture", str(picture))
    assert result.exit_code == 0, result.output
    for part in ("one NVIDIA H100", "Fish S2-Pro", "Kokoro 82M", "saturates first", "How far to", "(calibrated)"):
        assert part in result.output
    assert max(map(len, result.output.splitlines())) <= 100
    root = ElementTree.parse(picture).getroot()
    lines = [each for each in root.iter() if each.tag.endswith("polyline")]
    dots = [each for each in root.iter() if each.tag.endswith("circle")]
    assert (len(lines), len(dots)) == (4, 6)


def test_the_same_seed_prints_the_same_json_with_the_source_of_every_figure() -> None:
    args = (*QUICK, "--json", "--tts", "kokoro", "--card-hour", "6", "--hosted-minute", "0.3")
    first, second = plan(*args), plan(*args)
    assert first.exit_code == 0, first.output
    assert first.output == second.output
    found = json.loads(first.output)
    kokoro = found["voices"]["kokoro"]
    assert list(found["voices"]) == ["kokoro"]
    assert kokoro["usd_a_minute"] == pytest.approx(6 / 60 / kokoro["sessions"])
    assert kokoro["usd_a_minute_hosted"] == 0.3
    assert [each["sessions"] for each in kokoro["curve"]] == [1, 12]
    assert found["promise"] == {"p95_ms": 410, "since": "speech"}
    assert [each["sessions"] for each in found["validation"]] == [1, 2, 4, 8]
    assert all(figure["source"] for figure in found["figures"])


def test_two_cards_are_split_every_way() -> None:
    result = plan(*QUICK, "--tts", "kokoro", "--cards", "2")
    assert result.exit_code == 0, result.output
    assert "the whole fleet on each" in result.output
    assert "stt+llm | tts" in result.output


def test_the_cpu_machine_has_no_card_and_no_price() -> None:
    result = plan(*QUICK, "--gpu", "cpu", "--talk", "bench", "--slo-ms", "1500")
    assert result.exit_code == 0, result.output
    assert "Sessions on this machine" in result.output
    assert "GB on one card" not in result.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--gpu", "a100"), "gpu: expected one of h100, cpu"),
        (("--tts", "hibari"), "tts: expected one of fish, kokoro"),
        (("--talk", "song"), "talk: expected one of conversation, bench"),
        (("--sessions", "one"), "sessions: expected numbers like 1,8,16"),
        (("--sessions", "0,4"), "sessions: expected numbers from 1 to 1000"),
        (("--picture", "plan.png"), "picture: expected a name that ends in .svg"),
        (("--gpu", "cpu", "--cards", "2"), "cards: expected 1 on a machine without a card"),
    ],
)
def test_bad_options_are_named(args: tuple[str, ...], message: str) -> None:
    result = plan(*args)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
