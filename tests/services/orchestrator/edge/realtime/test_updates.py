"""What a client asks for, put over what the session has."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.edge.realtime import updates
from services.orchestrator.edge.realtime.client_events import ResponseBody, SessionUpdateBody
from services.orchestrator.endpointing import Eagerness, FixedSilence, SemanticEndpointing
from services.orchestrator.noise_reduction import NoiseReduction
from services.orchestrator.session_config import ReplyOverrides, SessionConfig
from services.orchestrator.turn_config import TurnConfig

# Nothing in it is a default.
BEFORE = SessionConfig(
    "Be brief.",
    voice="anna",
    speed=1.2,
    language="de",
    hint="Berlin",
    modality="text",
    temperature=0.1,
    max_output_tokens=99,
    tools=(llm_pb2.Tool(name="weather"),),
    tool_choice=llm_pb2.ToolChoice(mode=llm_pb2.ToolChoice.MODE_NONE),
    threshold=0.7,
    stop_silence_ms=150,
    noise_reduction=NoiseReduction.FAR_FIELD,
    turn=TurnConfig(
        endpointing=FixedSilence(0.9),
        create_response=False,
        interrupt_response=False,
        drafts=True,
        prefix_s=0.1,
        transcript_timeout_s=3.0,
        idle_timeout_s=9.0,
    ),
)


def updated(**session: Any) -> SessionConfig:
    return updates.updated(BEFORE, SessionUpdateBody.model_validate({"type": "realtime", **session}))


def detecting(**detection: Any) -> SessionConfig:
    return updated(audio={"input": {"turn_detection": detection}})


def changes(after: SessionConfig) -> set[str]:
    return {one.name for one in fields(BEFORE) if getattr(after, one.name) != getattr(BEFORE, one.name)}


@pytest.mark.parametrize(
    "session",
    [
        {},
        {"model": "gpt-realtime", "tracing": "auto", "include": [], "truncation": "auto"},
        {"audio": {}},
        {"audio": {"input": {}, "output": {}}},
        {"audio": {"input": {"format": {"type": "audio/pcm"}, "transcription": None}}},
        {"instructions": None, "tools": None, "temperature": None},
    ],
)
def test_what_is_not_said_stays_as_it_was(session: dict[str, Any]) -> None:
    assert updated(**session) == BEFORE


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({"instructions": ""}, {"instructions": ""}),
        ({"output_modalities": ["audio"]}, {"modality": "audio"}),
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"max_output_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_output_tokens": "inf"}, {"max_output_tokens": 4_096}),
        ({"tools": []}, {"tools": ()}),
        ({"audio": {"output": {"voice": "berta"}}}, {"voice": "berta"}),
        ({"audio": {"output": {"voice": "alloy"}}}, {"voice": ""}),  # a voice of OpenAI's: the language's default
        ({"audio": {"output": {"voice": "auto"}}}, {"voice": ""}),
        ({"audio": {"output": {"speed": 0.5}}}, {"speed": 0.5}),
        ({"audio": {"input": {"transcription": {"language": "fr"}}}}, {"language": "fr", "hint": ""}),
        ({"audio": {"input": {"transcription": {"prompt": "Paris"}}}}, {"language": "", "hint": "Paris"}),
        ({"audio": {"input": {"transcription": {"model": "whisper-1"}}}}, {"language": "", "hint": ""}),
        (
            {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}},
            {"noise_reduction": NoiseReduction.NEAR_FIELD},
        ),
        ({"audio": {"input": {"noise_reduction": None}}}, {"noise_reduction": None}),
    ],
)  # fmt: skip
def test_what_is_said_is_changed_and_nothing_else(session: dict[str, Any], expected: dict[str, Any]) -> None:
    after = updated(**session)
    assert {name: getattr(after, name) for name in expected} == expected
    assert changes(after) == set(expected)


def test_tools_are_passed_on_with_their_parameters_as_json() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string", "description": "Köln"}}}
    tool = {"type": "function", "name": "weather", "description": "The weather.", "parameters": parameters}
    (told,) = updated(tools=[tool]).tools
    assert (told.name, told.description) == ("weather", "The weather.")
    assert json.loads(told.parameters_json) == parameters


@pytest.mark.parametrize(
    ("choice", "mode", "name"),
    [
        ("none", llm_pb2.ToolChoice.MODE_NONE, ""),
        ("auto", llm_pb2.ToolChoice.MODE_AUTO, ""),
        ("required", llm_pb2.ToolChoice.MODE_REQUIRED, ""),
        ({"type": "function", "name": "weather"}, llm_pb2.ToolChoice.MODE_REQUIRED, "weather"),
    ],
)
def test_the_choice_of_a_tool_is_passed_on(choice: Any, mode: llm_pb2.ToolChoice.Mode.ValueType, name: str) -> None:
    assert updated(tool_choice=choice).tool_choice == llm_pb2.ToolChoice(mode=mode, name=name)


def test_turn_detection_is_switched_off_by_null_and_nothing_else_changes() -> None:
    after = updated(audio={"input": {"turn_detection": None}})
    assert after == replace(BEFORE, turn=replace(BEFORE.turn, detection=False))


def test_a_fixed_silence_takes_all_its_parameters() -> None:
    after = detecting(
        type="server_vad",
        threshold=0.4,
        prefix_padding_ms=250,
        silence_duration_ms=350,
        idle_timeout_ms=6_000,
        create_response=True,
        interrupt_response=False,
    )
    assert changes(after) == {"threshold", "turn"}
    assert after.threshold == 0.4
    assert after.turn == TurnConfig(
        endpointing=FixedSilence(0.35),
        create_response=True,
        interrupt_response=False,
        drafts=True,
        prefix_s=0.25,
        transcript_timeout_s=3.0,
        idle_timeout_s=6.0,
    )


def test_parameters_that_a_new_detection_does_not_name_are_the_protocols_defaults() -> None:
    after = detecting(type="server_vad")
    assert after.threshold is None
    assert after.turn == TurnConfig(endpointing=FixedSilence(0.5), drafts=True, prefix_s=0.3, transcript_timeout_s=3.0)


def test_zero_milliseconds_are_a_wish_and_no_default() -> None:
    after = detecting(type="server_vad", silence_duration_ms=0, prefix_padding_ms=0)
    assert after.turn.endpointing == FixedSilence(0.0)
    assert after.turn.prefix_s == 0.0


@pytest.mark.parametrize(
    ("wish", "eagerness"),
    [({}, Eagerness.AUTO), ({"eagerness": "low"}, Eagerness.LOW), ({"eagerness": "high"}, Eagerness.HIGH)],
)
def test_semantic_detection_takes_its_eagerness(wish: dict[str, Any], eagerness: Eagerness) -> None:
    after = detecting(type="semantic_vad", **wish)
    assert after.turn.endpointing == SemanticEndpointing(eagerness)
    assert after.turn.detection
    assert after.threshold is None
    assert after.turn.idle_timeout_s is None


def test_detection_that_was_off_is_on_again() -> None:
    off = replace(BEFORE, turn=replace(BEFORE.turn, detection=False))
    body = SessionUpdateBody.model_validate(
        {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    )
    assert updates.updated(off, body).turn.detection


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (None, ReplyOverrides()),
        ({}, ReplyOverrides()),
        ({"audio": {}, "conversation": "auto"}, ReplyOverrides()),
        ({"metadata": {"who": "me"}}, ReplyOverrides(metadata={"who": "me"})),
        ({"conversation": "none"}, ReplyOverrides(in_conversation=False)),
        ({"tools": []}, ReplyOverrides(tools=())),
        (
            {"tool_choice": {"type": "function", "name": "weather"}},
            ReplyOverrides(tool_choice=llm_pb2.ToolChoice(mode=llm_pb2.ToolChoice.MODE_REQUIRED, name="weather")),
        ),
        ({"audio": {"output": {"format": {"type": "audio/pcma"}}}}, ReplyOverrides(audio_format="audio/pcma")),
        ({"audio": {"output": {"voice": {"id": "berta"}}}}, ReplyOverrides(voice="berta")),
        ({"instructions": "", "temperature": 0}, ReplyOverrides(instructions="", temperature=0.0)),
        ({"output_modalities": ["text"]}, ReplyOverrides(modality="text")),
        ({"max_output_tokens": "inf"}, ReplyOverrides(max_output_tokens=4_096)),
        ({"max_output_tokens": 7}, ReplyOverrides(max_output_tokens=7)),
        ({"audio": {"output": {"voice": "berta"}}}, ReplyOverrides(voice="berta")),
        ({"audio": {"output": {"voice": "marin"}}}, ReplyOverrides(voice="")),
    ],
)
def test_a_reply_is_asked_for_with_its_own_wishes(response: dict[str, Any] | None, expected: ReplyOverrides) -> None:
    body = None if response is None else ResponseBody.model_validate(response)
    assert updates.overrides(body) == expected
