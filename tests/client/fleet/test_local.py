import pytest

from client.fleet.local import BadSettingsError, local_fleet, own_key
from client.fleet.plan import FleetPlan, ProcessPlan
from client.fleet.probes import GrpcHealth, HttpReady


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAD_PORT", "VAD_HOST", "VAD_METRICS_PORT", "ORCHESTRATOR_PORT", "ORCHESTRATOR_VAD_TARGET"):
        monkeypatch.delenv(f"VOXFLEET_{name}", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def process(plan: FleetPlan, name: str) -> ProcessPlan:
    return next(each for each in plan.processes if each.name == name)


def test_the_fleet_has_the_ports_of_the_design() -> None:
    plan = local_fleet(["vad", "orchestrator"])
    vad, orchestrator = plan.processes
    assert [(claim.port, claim.variable) for claim in vad.claims] == [
        (8001, "VOXFLEET_VAD_PORT"),
        (9001, "VOXFLEET_VAD_METRICS_PORT"),
    ]
    assert vad.probe == GrpcHealth("127.0.0.1:8001")
    assert orchestrator.claims[0].port == 8000
    assert orchestrator.probe == HttpReady("127.0.0.1:8000", "/readyz")
    assert plan.url == "http://localhost:8000"


def test_the_environment_moves_a_port_and_the_orchestrator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFLEET_VAD_PORT", "18001")
    plan = local_fleet(["orchestrator", "vad"])
    assert [claim.port for claim in process(plan, "vad").claims] == [18001, 19001]
    assert process(plan, "orchestrator").env["VOXFLEET_ORCHESTRATOR_VAD_TARGET"] == "127.0.0.1:18001"


def test_a_target_that_the_person_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFLEET_ORCHESTRATOR_VAD_TARGET", "gpu-box:8001")
    plan = local_fleet(["vad", "orchestrator"])
    assert "VOXFLEET_ORCHESTRATOR_VAD_TARGET" not in process(plan, "orchestrator").env


def test_stages_that_are_not_started_keep_their_own_targets() -> None:
    plan = local_fleet(["orchestrator"])
    assert not [key for key in process(plan, "orchestrator").env if key.endswith("_TARGET")]


def test_any_port_gives_every_server_its_own_and_tells_the_processes() -> None:
    plan = local_fleet(["vad", "orchestrator"], any_port=True)
    vad, orchestrator = process(plan, "vad"), process(plan, "orchestrator")
    ports = [claim.port for each in plan.processes for claim in each.claims]
    assert len(set(ports)) == 3
    assert not set(ports) & {8000, 8001, 9001}
    assert vad.env["VOXFLEET_VAD_PORT"] == str(vad.claims[0].port)
    assert vad.env["VOXFLEET_VAD_METRICS_PORT"] == str(vad.claims[1].port)
    assert orchestrator.env["VOXFLEET_ORCHESTRATOR_PORT"] == str(orchestrator.claims[0].port)
    assert orchestrator.env["VOXFLEET_ORCHESTRATOR_VAD_TARGET"] == vad.claims[0].target
    assert plan.url == f"http://localhost:{orchestrator.claims[0].port}"


def test_port_zero_becomes_a_port_that_the_supervisor_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFLEET_VAD_PORT", "0")
    vad = process(local_fleet(["vad"]), "vad")
    assert vad.claims[0].port != 0
    assert vad.env["VOXFLEET_VAD_PORT"] == str(vad.claims[0].port)


def test_the_orchestrator_is_stopped_before_the_stages() -> None:
    assert "vad" in process(local_fleet(["vad", "orchestrator"]), "orchestrator").depends_on


def test_numpy_computes_on_one_thread_unless_the_person_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process(local_fleet(["stt"]), "stt").env["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    assert "OPENBLAS_NUM_THREADS" not in process(local_fleet(["stt"]), "stt").env


def test_the_language_model_is_warmed_with_the_prompt_that_sessions_begin_with(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"orchestrator": {"VOXFLEET_ORCHESTRATOR_INSTRUCTIONS": "Be brief."}}
    assert process(local_fleet(["llm"], env=env), "llm").env["VOXFLEET_LLM_WARM_INSTRUCTIONS"] == "Be brief."
    monkeypatch.setenv("VOXFLEET_LLM_WARM_INSTRUCTIONS", "Something else.")
    assert "VOXFLEET_LLM_WARM_INSTRUCTIONS" not in process(local_fleet(["llm"], env=env), "llm").env


def test_the_models_are_those_that_the_settings_name(monkeypatch: pytest.MonkeyPatch) -> None:
    models = property(lambda settings: ("silero-vad", settings.end_of_turn_engine, "silero-vad"))
    monkeypatch.setattr("services.vad.settings.Settings.models", models, raising=False)
    plan = local_fleet(["vad"], env={"vad": {"VOXFLEET_VAD_END_OF_TURN_ENGINE": "none"}})
    assert plan.models == ("silero-vad", "none")


def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFLEET_VAD_THRESHOLD", "high")
    with pytest.raises(BadSettingsError, match=r"VOXFLEET_VAD_THRESHOLD: .*valid number.*got 'high'"):
        local_fleet(["vad"])


def test_an_unknown_service_lists_the_services() -> None:
    with pytest.raises(BadSettingsError, match=r"unknown service asr; services: vad, stt, llm, tts, orchestrator"):
        local_fleet(["asr"])


def test_an_empty_choice_is_an_error() -> None:
    with pytest.raises(BadSettingsError, match="no service is named"):
        local_fleet([])


def test_the_key_of_the_own_orchestrator_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_key() is None
    monkeypatch.setenv("VOXFLEET_ORCHESTRATOR_API_KEYS", "first-key-of-two-0123,second-key-of-two-0123")
    assert own_key() == "first-key-of-two-0123"
