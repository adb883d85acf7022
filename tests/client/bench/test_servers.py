import pytest

from client.bench.servers import Variant, only_trouble, parse_variant, plan
from client.fleet.local import SERVICES, BadSettingsError
from client.fleet.processes import SUPERVISOR, LogLine


def test_a_variant_is_a_name_and_variables() -> None:
    assert parse_variant("no drafts=VOXFLEET_ORCHESTRATOR_DRAFTS=false,OMP_NUM_THREADS=2") == Variant(
        "no drafts", {"VOXFLEET_ORCHESTRATOR_DRAFTS": "false", "OMP_NUM_THREADS": "2"}
    )
    assert parse_variant("url=VOXFLEET_LLM_MODEL=a=b").env == {"VOXFLEET_LLM_MODEL": "a=b"}


@pytest.mark.parametrize("text", ["", "name", "name=", "name=VARIABLE", "=A=1", "name=A=1,", "name=lower=1"])
def test_anything_else_is_no_variant(text: str) -> None:
    with pytest.raises(ValueError, match="expected NAME=VARIABLE=VALUE"):
        parse_variant(text)


def test_a_variable_goes_to_the_services_that_have_it() -> None:
    env = {each.name: each.env for each in plan(Variant("x", {"VOXFLEET_LLM_MAX_STREAMS": "7"})).processes}
    assert env["llm"]["VOXFLEET_LLM_MAX_STREAMS"] == "7"
    assert not any("VOXFLEET_LLM_MAX_STREAMS" in env[name] for name in SERVICES if name != "llm")


def test_another_variable_goes_to_all() -> None:
    processes = plan(Variant("x", {"OMP_NUM_THREADS": "3"})).processes
    assert {each.env["OMP_NUM_THREADS"] for each in processes} == {"3"}


def test_a_setting_that_no_service_has_would_make_no_difference_and_is_refused() -> None:
    with pytest.raises(BadSettingsError, match="typo: no service has the setting VOXFLEET_ORCHESTRATOR_DARFTS"):
        plan(Variant("typo", {"VOXFLEET_ORCHESTRATOR_DARFTS": "false"}))


def test_defaults_give_way_to_the_environment_and_to_the_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = {"VOXFLEET_LLM_MAX_STREAMS": "1", "VOXFLEET_STT_MAX_STREAMS": "1", "VOXFLEET_TTS_MAX_STREAMS": "1"}
    monkeypatch.setenv("VOXFLEET_LLM_MAX_STREAMS", "2")
    env = {each.name: each.env for each in plan(Variant("x", {"VOXFLEET_STT_MAX_STREAMS": "3"}), defaults).processes}
    assert "VOXFLEET_LLM_MAX_STREAMS" not in env["llm"]
    assert env["stt"]["VOXFLEET_STT_MAX_STREAMS"] == "3"
    assert env["tts"]["VOXFLEET_TTS_MAX_STREAMS"] == "1"


def test_two_fleets_share_no_port() -> None:
    claims = [
        claim.target
        for variant in (Variant("a", {}), Variant("b", {}))
        for process in plan(variant).processes
        for claim in process.claims
    ]
    assert len(set(claims)) == len(claims)


def test_of_a_fleet_s_log_only_trouble_is_passed_on() -> None:
    passed: list[str] = []
    log = only_trouble(lambda line: passed.append(line.text))
    for source, text in (("llm", "loading"), (SUPERVISOR, "llm is ready after 3 s"), (SUPERVISOR, "llm was killed")):
        log(LogLine(source, text))
    assert passed == ["llm was killed"]
