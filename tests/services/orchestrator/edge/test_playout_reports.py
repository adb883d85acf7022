"""A client that says where its loudspeaker is, over both protocols. Stages scripted, 20 ms a character."""

from typing import Any

import pytest

from tests.support.edge import Client, connected, scripted_edge
from tests.support.scripted import Script

REALTIME = "/v1/realtime"
EXTENDED = f"{REALTIME}?extensions=voxfleet"
REPLY = " ".join(f"w{number:03}" for number in range(40))


async def interrupted(client: Client, paused: str, done: str, **report: Any) -> dict[str, Any]:
    """Speaks over the reply that is being heard, reports when it is paused; how the reply ended."""
    await client.speak_base64(0.1, 0.0) if paused.startswith("voxfleet") else await client.speak_binary(0.1, 0.0)
    await client.until(paused)
    await client.send(**report)
    await client.speak_base64(0.7, 0.1) if paused.startswith("voxfleet") else await client.speak_binary(0.7, 0.1)
    return await client.until(done)


async def test_a_realtime_client_that_is_held_is_cut_where_it_stands() -> None:
    script = Script(texts=["no wait stop"], replies=[REPLY])
    async with scripted_edge(script) as address, connected(address, EXTENDED) as client:
        await client.send(type="response.create")
        audio = await client.until("response.output_audio.delta")
        report = {"type": "voxfleet.playout.position", "item_id": audio["item_id"], "audio_ms": 120.5, "playing": False}
        done = await interrupted(client, "voxfleet.playout.paused", "response.done", **report)
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        await client.send(type="conversation.item.retrieve", item_id=audio["item_id"])
        item = (await client.until("conversation.item.retrieved"))["item"]
        assert item["content"][0]["transcript"] == "w000"
        assert "error" not in client.kinds


async def test_a_plain_client_that_is_held_is_cut_where_it_stands() -> None:
    script = Script(texts=["no wait stop"], replies=[REPLY])
    async with scripted_edge(script) as address, connected(address, "/realtime") as client:
        await client.send(type="text", text="hello")
        item_id = (await client.until("reply_started"))["item_id"]
        await client.until("reply_text")
        report = {"type": "playout", "item_id": item_id, "audio_ms": 0, "playing": False}
        done = await interrupted(client, "reply_paused", "reply_done", **report)
        assert (done["status"], done["heard"]) == ("cancelled", "")


async def test_a_false_interruption_is_told_to_both() -> None:
    for path, paused, resumed, done in (
        (EXTENDED, "voxfleet.playout.paused", "voxfleet.playout.resumed", "response.done"),
        ("/realtime", "reply_paused", "reply_resumed", "reply_done"),
    ):
        script = Script(texts=["mm-hm"], replies=[REPLY[:64]])
        async with scripted_edge(script) as address, connected(address, path) as client:
            if path == EXTENDED:
                await client.send(type="response.create")
                await client.until("response.output_audio.delta")
                await client.speak_base64(0.3, 0.5)
            else:
                await client.send(type="text", text="hello")
                await client.until("reply_text")
                await client.speak_binary(0.3, 0.5)
            await client.until(done)
            assert client.kinds.index(paused) < client.kinds.index(resumed)


async def test_a_client_that_asks_for_no_extensions_is_told_nothing_of_a_pause_but_may_report() -> None:
    script = Script(texts=["mm-hm"], replies=[REPLY[:64]])
    async with scripted_edge(script) as address, connected(address, REALTIME) as client:
        await client.send(type="response.create")
        item_id = (await client.until("response.output_audio.delta"))["item_id"]
        await client.send(type="voxfleet.playout.position", item_id=item_id, audio_ms=20)
        await client.speak_base64(0.3, 0.5)
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert not [kind for kind in client.kinds if kind.startswith("voxfleet") or kind == "error"]


POSITION = {"type": "voxfleet.playout.position", "item_id": "item_1", "audio_ms": 5}


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"item_id": None}, "invalid_value", "item_id"),
        ({"item_id": ""}, "invalid_value", "item_id"),
        ({"audio_ms": -1}, "invalid_value", "audio_ms"),
        ({"audio_ms": "soon"}, "invalid_value", "audio_ms"),
        ({"audio_ms": float("nan")}, "invalid_value", "audio_ms"),
        ({"playing": "perhaps"}, "invalid_value", "playing"),
        ({"volume": 3}, "unknown_parameter", "volume"),
    ],
)
async def test_a_bad_report_is_an_error_that_names_the_field(change: dict[str, Any], code: str, param: str) -> None:
    async with scripted_edge(Script()) as address:
        async with connected(address, REALTIME) as client:
            await client.send(**(POSITION | change))
            error = (await client.until("error"))["error"]
            assert (error["code"], error["param"]) == (code, param)
        async with connected(address, "/realtime") as client:
            await client.send(**(POSITION | {"type": "playout"} | change))
            error = await client.until("error")
            assert (error["code"], error["field"]) == (code, param)


@pytest.mark.parametrize("field", ["item_id", "audio_ms"])
async def test_a_report_without_a_field_is_an_error_that_names_it(field: str) -> None:
    event = {key: value for key, value in POSITION.items() if key != field}
    async with scripted_edge(Script()) as address, connected(address, REALTIME) as client:
        await client.send(**event)
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"]) == ("missing_required_parameter", field)


async def test_a_report_on_an_item_that_is_not_there_is_no_error() -> None:
    async with scripted_edge(Script()) as address, connected(address, EXTENDED) as client:
        await client.send(**POSITION)
        await client.send(type="response.create", response={"output_modalities": ["text"]})
        await client.until("response.done")
        assert "error" not in client.kinds
