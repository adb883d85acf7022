"""Liveness, readiness and metrics over real HTTP."""

import httpx

from tests.support.edge import connected, scripted_edge, serving_edge
from tests.support.scripted import Script, scripted_fleet


async def test_a_fleet_whose_stages_serve_is_ready() -> None:
    async with scripted_edge(Script()) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        assert (await http.get("/healthz")).text == "ok"
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json() == {"ready": True, "stages": dict.fromkeys(("vad", "stt", "llm", "tts"), "ready")}
        assert "text/html" in (await http.get("/")).headers["content-type"]


async def test_readiness_says_which_stage_is_down() -> None:
    async with scripted_fleet(Script()) as settings:
        broken = settings.model_copy(update={"llm_target": "127.0.0.1:1"})
        async with serving_edge(broken) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
            ready = await http.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["stages"] == {"vad": "ready", "stt": "ready", "llm": "unavailable", "tts": "ready"}


async def test_a_turn_shows_in_every_stage_of_the_latency_histogram() -> None:
    async with scripted_edge(Script()) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        before = (await http.get("/metrics")).text
        async with connected(address, "/realtime") as client:
            await client.speak_binary(0.4, 0.8)
            await client.until("reply_done")
        after = (await http.get("/metrics")).text
    for stage in ("endpoint", "stt", "llm", "tts", "voice_to_voice"):
        name = f'voxfleet_stage_latency_seconds_count{{stage="{stage}"}} '
        assert count(after, name) == count(before, name) + 1


def count(metrics: str, name: str) -> float:
    """The value of one sample, 0 where it is not there yet."""
    lines = [line for line in metrics.splitlines() if line.startswith(name)]
    return float(lines[0].removeprefix(name)) if lines else 0.0
