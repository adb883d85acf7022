import asyncio
import json
from typing import Annotated, Any

import pytest
from pydantic import Field

from client.errors import RejectedError
from client.events import FunctionCall, ResponseDone
from client.realtime import RealtimeClient
from client.session_update import merged, session_update
from client.tools import Tools
from tests.support.realtime import Peer, scripted_server


async def weather(city: Annotated[str, Field(description="Where")], days: int = 1) -> dict[str, Any]:
    """The weather in a city."""
    return {"city": city, "days": days, "sky": "clear"}


def timer(minutes: int) -> str:
    """Sets a timer."""
    return f"{minutes} minutes from now"


def test_names_types_and_docstrings_are_what_the_model_sees() -> None:
    tools = Tools(weather)
    tools.add(timer)
    [first, second] = tools.definitions
    assert (first["type"], first["name"], first["description"]) == ("function", "weather", "The weather in a city.")
    parameters: Any = first["parameters"]
    assert parameters["type"] == "object"
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["city"]["description"] == "Where"
    assert parameters["properties"]["days"]["type"] == "integer"
    assert second["name"] == "timer"


async def test_a_function_is_called_with_what_the_model_says() -> None:
    tools = Tools(weather, timer)
    assert json.loads(await tools.call("weather", '{"city": "Rome"}')) == {"city": "Rome", "days": 1, "sky": "clear"}
    assert await tools.call("timer", '{"minutes": "5"}') == "5 minutes from now"


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("alarm", "{}", "no such function: alarm; there are: weather, timer"),
        ("timer", "5", "the arguments are not a JSON object"),
        ("timer", "{", "the arguments are not JSON"),
        ("timer", '{"minutes": "soon"}', "minutes: Input should be a valid integer"),
        ("timer", "{}", "minutes: Missing required argument"),
        ("timer", '{"minutes": 1, "hours": 2}', "hours: Unexpected keyword argument"),
    ],
)
async def test_what_the_model_does_wrong_it_is_told(name: str, arguments: str, problem: str) -> None:
    assert problem in json.loads(await Tools(weather, timer).call(name, arguments))["error"]


async def test_a_function_that_fails_or_hangs_does_not_end_the_conversation() -> None:
    async def hang() -> None:
        await asyncio.sleep(60)

    def fail() -> None:
        raise LookupError("no such city")

    tools = Tools(hang, fail, timeout_s=0.05)
    assert json.loads(await tools.call("hang", "{}")) == {"error": "hang did not answer within 0.05 s"}
    assert json.loads(await tools.call("fail", "")) == {"error": "fail failed: no such city"}


def test_a_name_is_taken_once_and_every_parameter_has_one() -> None:
    def anything(*args: str) -> None: ...

    tools = Tools(timer)
    with pytest.raises(ValueError, match="timer: there is a tool of this name"):
        tools.add(timer)
    with pytest.raises(ValueError, match=r"anything: expected parameters that can be given by name, got \*args: str"):
        tools.add(anything)


async def call(peer: Peer, response_id: str, status: str, *calls: tuple[str, str, str]) -> None:
    """A response with function calls."""
    await peer.send("response.created", response={"id": response_id})
    for call_id, name, arguments in calls:
        place = {"response_id": response_id, "item_id": f"item_{call_id}", "call_id": call_id}
        await peer.send("response.function_call_arguments.done", name=name, arguments=arguments, **place)
    await peer.done(response_id, status)


async def test_calls_are_answered_and_the_reply_goes_on() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        update = await peer.receive()
        assert [tool["name"] for tool in update["session"]["tools"]] == ["weather", "timer"]
        await peer.send("session.updated", session=update["session"])
        await call(peer, "r1", "completed", ("c1", "weather", '{"city": "Rome"}'), ("c2", "timer", '{"minutes": 5}'))
        answers = [await peer.receive() for _ in range(3)]
        assert [answer["type"] for answer in answers] == [
            "conversation.item.create",
            "conversation.item.create",
            "response.create",
        ]
        assert [answer["item"]["call_id"] for answer in answers[:2]] == ["c1", "c2"]
        assert answers[1]["item"]["output"] == "5 minutes from now"
        await peer.reply(b"", "It is clear.", response_id="r2")
        await peer.connection.close()

    async with (
        scripted_server(script) as url,
        RealtimeClient.connect(url, tools=Tools(weather, timer)) as client,
    ):
        events = [event async for event in client]
    assert [event.name for event in events if isinstance(event, FunctionCall)] == ["weather", "timer"]
    assert len([event for event in events if isinstance(event, ResponseDone)]) == 2


async def test_the_calls_of_a_reply_that_was_cut_off_are_not_made() -> None:
    called: list[int] = []

    def count(number: int) -> None:
        """Counts."""
        called.append(number)

    async def script(peer: Peer) -> None:
        await peer.greet()
        update = await peer.receive()
        await peer.send("session.updated", session=update["session"])
        await call(peer, "r1", "cancelled", ("c1", "count", '{"number": 1}'))
        await call(peer, "r2", "completed", ("c2", "count", '{"number": 2}'))
        assert (await peer.receive())["item"]["output"] == "null"
        await peer.connection.close()

    async with scripted_server(script) as url, RealtimeClient.connect(url, tools=Tools(count)) as client:
        async for _ in client:
            pass
    assert called == [2]


async def test_a_call_that_is_still_made_does_not_keep_the_session_open() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        """Hangs."""
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def script(peer: Peer) -> None:
        await peer.greet()
        update = await peer.receive()
        await peer.send("session.updated", session=update["session"])
        await call(peer, "r1", "completed", ("c1", "hang", "{}"))
        await peer.connection.wait_closed()

    async with scripted_server(script) as url, asyncio.timeout(10):
        async with RealtimeClient.connect(url, tools=Tools(hang)):
            await began.wait()
        assert ended.is_set()


async def test_tools_that_the_server_refuses_are_an_error_of_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        update = await peer.receive()
        error = {"type": "invalid_request_error", "message": "no tools", "event_id": update["event_id"]}
        await peer.send("error", error=error)
        await peer.connection.wait_closed()

    async with scripted_server(script) as url:
        with pytest.raises(RejectedError, match="no tools"):
            async with RealtimeClient.connect(url, tools=Tools(timer)):
                pass


def test_updates_add_up_and_objects_of_another_kind_replace_each_other() -> None:
    first = session_update(voice="anna", turn_detection={"type": "semantic_vad", "eagerness": "high"})
    second = session_update(language="en", turn_detection={"type": "server_vad"}, more={"temperature": 0.5})
    session: Any = merged(first, second)
    assert session["audio"]["output"]["voice"] == "anna"
    assert session["audio"]["input"]["transcription"] == {"language": "en"}
    assert session["audio"]["input"]["turn_detection"] == {"type": "server_vad"}
    assert session["temperature"] == 0.5
    pressed: Any = merged(session, session_update(push_to_talk=True, modality="text"))
    assert pressed["audio"]["input"]["turn_detection"] is None
    assert pressed["output_modalities"] == ["text"]


def test_turns_are_either_detected_or_pressed() -> None:
    with pytest.raises(ValueError, match="turn_detection: expected none with push_to_talk"):
        session_update(push_to_talk=True, turn_detection={"type": "server_vad"})
