import tomllib
from importlib.resources import files
from typing import Any

import pytest

from client.planning import catalog
from client.planning.figures import FigureError, Kind
from client.planning.fleet import CARD, memory_gb, voice_of
from services.orchestrator.settings import Settings


def data(name: str) -> dict[str, Any]:
    return tomllib.loads((files("client.planning") / "data" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", catalog.MACHINES)
def test_every_figure_of_a_machine_says_where_it_comes_from(name: str) -> None:
    machine = catalog.machine(name)
    origins = list(catalog.origins(machine))
    assert len(origins) > 30
    assert all(origin.source for origin in origins)
    assert set(machine.capacity) == {machine.host, *([CARD] if name != "cpu" else [])}


@pytest.mark.parametrize("name", catalog.TALKS)
def test_every_way_to_talk_is_there(name: str) -> None:
    talk = catalog.talk(name)
    assert len(talk.sentences) > 5
    assert len(list(catalog.origins(talk))) == 13


def test_nothing_of_a_card_is_called_measured() -> None:
    machine = catalog.machine("h100")
    for service in (machine.llm, *machine.voices.values()):
        kinds = {service.slowdown.origin.kind, service.demand.origin.kind, service.memory_gb.origin.kind}
        assert Kind.MEASURED not in kinds, service.engine


def test_everything_fits_on_the_card() -> None:
    machine = catalog.machine("h100")
    for voice in machine.voices:
        assert 0 < sum(memory_gb(machine, voice).values()) <= machine.memory_gb.value
    assert memory_gb(catalog.machine("cpu"), "hibari") == {}


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(FigureError, match="gpu: expected one of h100, cpu, got 'a100'"):
        catalog.machine("a100")
    with pytest.raises(FigureError, match="talk: expected one of conversation, bench, got 'song'"):
        catalog.talk("song")
    with pytest.raises(FigureError, match="tts: expected one of fish, kokoro on h100, got 'hibari'"):
        voice_of(catalog.machine("h100"), "hibari")


def test_a_figure_that_is_missing_is_named() -> None:
    broken = data("h100.toml")
    del broken["stage"]["llm"]["decode_s"]["source"]
    with pytest.raises(FigureError, match=r"llm\.decode_s\.source"):
        catalog.read_machine("h100", broken)
    broken = data("cpu.toml")
    del broken["stage"]["tts"]
    with pytest.raises(FigureError, match=r"stage\.tts: expected a table"):
        catalog.read_machine("cpu", broken)
    broken = data("cpu.toml")
    broken["stage"]["stt"]["engine"] = 3
    with pytest.raises(FigureError, match=r"stt\.engine: expected a text, got 3"):
        catalog.read_machine("cpu", broken)


def test_the_simulated_orchestrator_is_set_like_the_real_one() -> None:
    from client.planning import session, voice

    settings = Settings()
    assert settings.partial_interval_ms / 1000 == session.PARTIAL_S
    assert settings.draft_load_limit == session.DRAFT_LOAD_LIMIT
    assert settings.playout_lead_ms / 1000 == voice.LEAD_S
    for name in catalog.MACHINES:
        assert settings.stop_silence_ms / 1000 == catalog.machine(name).vad.stop_silence_s.value


def test_what_was_measured_is_in_the_documentation() -> None:
    page = (files("client.planning") / ".." / ".." / "docs" / "performance.md").read_text(encoding="utf-8")
    for run in catalog.measured():
        assert f"| {run.sessions} | on | **{run.p50_ms:.0f} ms** | {run.p90_ms:.0f} ms |" in page
