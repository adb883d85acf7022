from client.fleet.plan import ProcessPlan, stop_order
from client.fleet.probes import HttpReady


def plan(name: str, *depends_on: str) -> ProcessPlan:
    return ProcessPlan(name=name, module="m", probe=HttpReady("127.0.0.1:1"), depends_on=frozenset(depends_on))


def test_the_caller_is_stopped_before_those_it_calls() -> None:
    stages = [plan(name) for name in ("vad", "stt", "llm", "tts")]
    assert stop_order([*stages, plan("orchestrator", "vad", "stt", "llm", "tts")]) == [
        ["orchestrator"],
        ["llm", "stt", "tts", "vad"],
    ]


def test_a_chain_is_stopped_from_its_head() -> None:
    assert stop_order([plan("c"), plan("b", "c"), plan("a", "b")]) == [["a"], ["b"], ["c"]]


def test_a_dependency_outside_the_fleet_does_not_matter() -> None:
    assert stop_order([plan("orchestrator", "vad", "elsewhere"), plan("vad")]) == [["orchestrator"], ["vad"]]


def test_an_empty_fleet_has_nothing_to_stop() -> None:
    assert stop_order([]) == []
