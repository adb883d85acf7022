import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.bench import script as script_module
from client.bench.questions import Question
from client.bench.rounds import Round, Rounds, measure, schedule
from client.bench.servers import Server
from client.bench.sessions import Connection
from client.bench.statistics import merged, summarize
from tests.support.audio import tone
from tests.support.edge import scripted_edge
from tests.support.scripted import Script

A, B = Server("a", "ws://a"), Server("b", "ws://b")


def test_servers_take_turns() -> None:
    order = [(each.sessions, each.number, each.server.name) for each in schedule([A, B], Rounds([1, 2], 4, rounds=2))]
    assert order == [(s, n, name) for s in (1, 2) for n in (1, 2) for name in "ab"]


@given(turns=st.integers(1, 50), rounds=st.integers(1, 50))
def test_the_turns_are_shared_out_among_the_rounds(turns: int, rounds: int) -> None:
    shares: Counter[str] = Counter()
    for each in schedule([A, B], Rounds([1], turns, rounds)):
        assert abs(each.turns - turns / rounds) < 1
        shares[each.server.name] += each.turns
    assert shares == {"a": turns, "b": turns}


async def test_a_fleet_with_scripted_stages_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_module, "PAUSE_S", (0.2, 0.3))
    script = Script(texts=["is it noon"], replies=["Yes."])
    seen: list[Round] = []
    async with scripted_edge(script) as address:
        server = Server("scripted", f"ws://{address}/v1/realtime", lambda: {"edge": os.getpid()})
        noon = Question("noon", "Is it noon?", tone(0.6))
        runs = await measure([server], Connection(server.url), [noon], Rounds([1], turns=1), on_round=seen.append)
    assert [(each.sessions, each.turns) for each in seen] == [(1, 1)]
    (found,) = map(summarize, merged(runs))
    assert (found.server, found.sessions, found.turns, found.failed) == ("scripted", 1, 1, 0)
    assert found.voice_to_voice is not None
    assert found.word_error_rate == 0
    assert found.marks_ms["endpoint"] <= found.marks_ms["audio_sent"]
    assert found.cpu_per_session_s.keys() == {"edge", "total"}
    assert found.rss_bytes["edge"] > 0
    assert runs[0].load.session_s >= 2 * (0.6 + 0.2)
