import io

import pytest
from rich.console import Console
from websockets.asyncio.client import connect

from client.bench.statistics import spread
from tests.bench.overhead import Caller, Row, plan, tables
from tests.bench.stages import Delays
from tests.support.edge import scripted_edge
from tests.support.scripted import Script

DELAYS = Delays(silence=500, stop=200, stt=100, llm=80, tts=40)


@pytest.mark.parametrize(
    ("delays", "draft_kept", "expected"),
    [
        (DELAYS, False, 500 + 80 + 40),  # the text was there before the silence was over
        (DELAYS, True, 500),  # so was the reply
        (Delays(silence=250, stop=200, stt=100, llm=80, tts=40), False, 200 + 100 + 80 + 40),
        (Delays(silence=400, stop=200, stt=100, llm=80, tts=40), True, 200 + 100 + 80 + 40),
    ],
)
def test_what_the_stages_take_is_known(delays: Delays, draft_kept: bool, expected: float) -> None:
    assert delays.expected_ms(draft_kept=draft_kept) == expected


async def test_a_caller_measures_from_the_last_speech_to_the_first_audio() -> None:
    script = Script(replies=["Yes."], first_token_delay_s=0.1)
    async with (
        scripted_edge(script) as address,
        connect(f"ws://{address}/v1/realtime?extensions=voxfleet", compression=None) as socket,
    ):
        caller = Caller(socket)
        await caller.converse([0.1])
    (turn,) = caller.answered
    assert turn.latency_ms >= 100
    assert turn.marks["first_token"] <= turn.marks["audio_sent"] <= turn.latency_ms
    assert caller.blocks >= 80


def test_the_stages_and_the_orchestrator_agree_on_the_delays() -> None:
    *stages, orchestrator = plan(DELAYS, drafts=False, sessions=400).processes
    assert [stage.name for stage in stages] == ["vad", "stt", "llm", "tts"]
    assert all('"stt": 100' in stage.args[2] for stage in stages)
    for name, value in (("SILENCE_MS", "500"), ("MAX_SESSIONS", "400"), ("DRAFTS", "False")):
        assert orchestrator.env[f"VOXFLEET_ORCHESTRATOR_{name}"] == value
    assert orchestrator.env["VOXFLEET_ORCHESTRATOR_VAD_TARGET"] == stages[0].claims[0].target


def test_the_table_shows_overhead_and_cpu() -> None:
    found = spread([4.0, 6.0])
    cpu_s = {"orchestrator": 0.003, "vad": 0.001, "tts": 0.001}
    row = Row(50, 2, 0, found, spread([604.0, 606.0]), {"endpoint": 501.0}, 0, cpu_s, 0.002, 0.05, 0.4)
    console = Console(file=io.StringIO(), width=100)
    for part in tables([row, Row(100, 0, 2, None, None, {}, 0, {}, 0.0, 0.0, 0.0)]):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    first, second, *_ = (line.split() for line in text.splitlines() if line.strip().startswith(("50 ", "100 ")))
    assert first == ["50", "5.0", "5.8", "6.0", "6.0", "2", "0", "0", "3.00", "2.00", "2.00", "0.40"]
    assert second[:5] == ["100", "—", "—", "—", "—"]
    assert "50 sessions: 5.0% of the audio was sent late" in text
