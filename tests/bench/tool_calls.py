"""How often the default model decides rightly between words and a function: `python -m tests.bench.tool_calls`.

The cases are none that the prompt's wording was chosen on. Greedy, one slot, one case after the other.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from services.llm.chat import Chat, Message, Role, TextDelta, Tool, ToolCall
from services.llm.engines.llama_cpp import LlamaCppEngine
from services.llm.settings import Settings

INSTRUCTIONS = (
    "You are a friendly voice assistant. Answer in one or two short, plain sentences, in the user's language."
)


def _tool(name: str, description: str, required: Sequence[str], **properties: dict[str, object]) -> Tool:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(name, description, parameters)


TOOLS = (
    _tool("get_weather", "Tells the weather of a city.", ["city"], city={"type": "string"}),
    _tool("set_timer", "Sets a timer.", ["minutes"], minutes={"type": "integer"}, label={"type": "string"}),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is said, perhaps after something else, and the calls that it needs (none: words)."""

    said: str
    calls: tuple[tuple[str, dict[str, object]], ...] = ()
    history: tuple[Message, ...] = ()


def _user(text: str) -> Message:
    return Message(Role.USER, text)


def _assistant(text: str) -> Message:
    return Message(Role.ASSISTANT, text)


def _called(name: str, result: object, **arguments: object) -> tuple[Message, Message]:
    call = ToolCall("call_1", name, json.dumps(arguments))
    told = Message(Role.TOOL, json.dumps(result), tool_call_id="call_1")
    return Message(Role.ASSISTANT, "", tool_calls=(call,)), told


def _weather(city: str) -> tuple[tuple[str, dict[str, object]], ...]:
    return (("get_weather", {"city": city}),)


def _timer(minutes: int) -> tuple[tuple[str, dict[str, object]], ...]:
    return (("set_timer", {"minutes": minutes}),)


_RAIN = (_user("How is the weather in Lima?"), *_called("get_weather", {"sky": "rain", "celsius": 9}, city="Lima"))
_TEA = (_user("Set a timer for four minutes for the tea."), *_called("set_timer", {"status": "started"}, minutes=4))

CASES = {
    "needs a function": [
        Case("What's the weather like in Madrid right now?", _weather("Madrid")),
        Case("Is it raining in Hamburg?", _weather("Hamburg")),
        Case("How cold is it in Moscow today?", _weather("Moscow")),
        Case("Tell me the weather in Cairo, please.", _weather("Cairo")),
        Case("Do I need sunglasses in Lisbon today?", _weather("Lisbon")),
        Case("Should I take a jacket in Berlin this evening?", _weather("Berlin")),
        Case("What is it like outside in Oslo?", _weather("Oslo"), (*_TEA, _assistant("Your timer is set."))),
        Case("Remind me in thirty minutes.", _timer(30), (*_RAIN, _assistant("It is raining in Lima."))),
        Case("Please set a timer for seven minutes.", _timer(7)),
        Case("Wake me in twenty minutes.", _timer(20)),
        Case("Timer, three minutes.", _timer(3)),
        Case("北京今天天气怎么样？", _weather("北京")),
        Case("请设一个五分钟的计时器。", _timer(5)),
        Case("And in Rome?", _weather("Rome"), (*_RAIN, _assistant("It is raining in Lima, at 9 degrees."))),
        Case(
            "Now set one for twelve minutes.",
            _timer(12),
            (*_TEA, _assistant("Your timer for the tea is set to four minutes.")),
        ),
    ],
    "needs words": [
        Case("What is the capital of Portugal?"),
        Case("How many legs does a spider have?"),
        Case("Tell me a joke."),
        Case("Who wrote Hamlet?"),
        Case("Good evening!"),
        Case("Thank you, that was helpful."),
        Case("What is a thermometer?"),
        Case("Why is the sky blue?"),
        Case("中国最长的河是哪条？"),
        Case("你叫什么名字？"),
        Case("And who lives there?", (), (_user("What is the capital of Peru?"), _assistant("It is Lima."))),
        Case("Thanks!", (), (*_TEA, _assistant("Your timer is set."))),
        Case("Who wrote Romeo and Juliet?", (), (*_TEA, _assistant("The timer has been set."))),
        Case("Which river flows through Vienna?", (), (*_RAIN, _assistant("It is raining in Lima."))),
        Case("How many minutes are there in two hours?"),
        Case("When did people land on the moon?", (), (*_TEA, _assistant("The timer has been set."))),
    ],
    "has its result": [
        Case("", (), _RAIN),
        Case("", (), _TEA),
        Case("", (), (_user("Weather in Oslo?"), *_called("get_weather", {"error": "unknown city"}, city="Oslo"))),
        Case("", (), (_user("Set a timer for an hour."), *_called("set_timer", "ok", minutes=60))),
        Case("", (), (_user("上海天气如何？"), *_called("get_weather", {"天气": "晴", "气温": 28}, city="上海"))),
        Case(
            "",
            (),
            (
                *_RAIN,
                _assistant("It is raining in Lima, at 9 degrees."),
                _user("Set a timer for two minutes."),
                *_called("set_timer", {"id": 7, "status": "running"}, minutes=2),
            ),
        ),
    ],
}


async def _measure(settings: Settings, *, verbose: bool) -> None:
    engine = LlamaCppEngine(settings)
    await engine.start()
    for kind, cases in CASES.items():
        right = 0
        for case in cases:
            good, told = await _judge(engine, case)
            right += good
            if verbose or not good:
                said = case.said or case.history[-1].text
                print(f"  {'right' if good else 'WRONG'}  {said}  ->  {told}")
        print(f"{kind}: {right} of {len(cases)} right")
    await engine.close()


async def _judge(engine: LlamaCppEngine, case: Case) -> tuple[bool, str]:
    chat = Chat(INSTRUCTIONS, case.history, TOOLS, frozenset(), 0.0, 1.0, 24)
    session = await engine.open(chat, "")
    words, calls = "", []
    async for event in session.answer(case.said):
        match event:
            case TextDelta(text):
                words += text
            case ToolCall(_, name, arguments):
                calls.append((name, json.loads(arguments)))
    session.close()
    if not case.calls:
        return not calls and bool(words.strip()), words or str(calls)
    # Only what the case names counts: a label, say, is the model's own affair.
    found = [
        (name, {key: made.get(key) for key in needed})
        for (name, made), (_, needed) in zip(calls, case.calls, strict=False)
    ]
    return len(calls) == len(case.calls) and found == list(case.calls), str(calls) if calls else words


def main() -> None:
    """Prints the share of right decisions, and every wrong one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true", help="print the right ones, too")
    verbose = parser.parse_args().verbose
    asyncio.run(_measure(Settings(slots=1, context_tokens=1536), verbose=verbose))


if __name__ == "__main__":
    main()
