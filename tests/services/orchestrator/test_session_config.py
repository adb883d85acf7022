"""What a session was told, and what of it the language model is told."""

from typing import Any

import pytest
from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.endpointing import Eagerness, FixedSilence, SemanticEndpointing
from services.orchestrator.session_config import ReplyOverrides, SessionConfig, chat_config
from services.orchestrator.settings import Settings
from services.orchestrator.turn_config import TurnConfig


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"VOXFLEET_ORCHESTRATOR_{name.upper()}", raising=False)


def settings(**told: Any) -> Settings:
    return Settings(**told)


def test_a_session_begins_as_the_settings_say() -> None:
    config = SessionConfig.of(
        settings(
            instructions="Be brief.",
            voice="anna",
            language="de",
            temperature=0.0,
            max_output_tokens=7,
            stop_silence_ms=120,
            transcript_timeout_s=3.0,
            drafts=False,
        )
    )
    assert (config.instructions, config.voice, config.language) == ("Be brief.", "anna", "de")
    assert (config.temperature, config.max_output_tokens, config.stop_silence_ms) == (0.0, 7, 120)
    assert config.turn.transcript_timeout_s == 3.0
    assert not config.turn.drafts
    assert SessionConfig.of(settings(drafts=True)).turn.drafts


def test_the_settings_choose_how_turns_end() -> None:
    fixed = SessionConfig.of(settings(turn_detection="server_vad", silence_ms=350)).turn.endpointing
    assert fixed == FixedSilence(0.35)
    semantic = SessionConfig.of(settings(turn_detection="semantic_vad", eagerness="low")).turn.endpointing
    assert semantic == SemanticEndpointing(Eagerness.LOW)


@pytest.mark.parametrize(
    ("stop_silence_ms", "silence_ms", "reported_after_ms"),
    [
        (200, 500, 200),
        (200, 200, 200),
        (200, 120, 120),  # a shorter silence than the VAD's must not be held up by it
        (200, 0, 32),  # one frame at least
        (16, 500, 32),
    ],
)
def test_the_vad_reports_silence_no_later_than_it_ends_the_turn(
    stop_silence_ms: int, silence_ms: int, reported_after_ms: int
) -> None:
    turn = TurnConfig(endpointing=FixedSilence(silence_ms / 1000))
    assert SessionConfig("", stop_silence_ms=stop_silence_ms, turn=turn).vad_silence_ms == reported_after_ms


def test_the_language_model_is_told_what_the_session_was() -> None:
    tools = (llm_pb2.Tool(name="weather", parameters_json="{}"),)
    choice = llm_pb2.ToolChoice(mode=llm_pb2.ToolChoice.MODE_REQUIRED, name="weather")
    config = SessionConfig("Be brief.", temperature=0.2, max_output_tokens=50, tools=tools, tool_choice=choice)
    history = [llm_pb2.Message(role=llm_pb2.ROLE_USER, text="hello")]
    told = chat_config(config, ReplyOverrides(), history)
    assert told.instructions == "Be brief."
    assert list(told.history) == history
    assert list(told.tools) == list(tools)
    assert told.tool_choice == choice
    assert told.temperature == pytest.approx(0.2)
    assert told.max_output_tokens == 50


def test_one_reply_may_be_asked_for_in_another_way() -> None:
    config = SessionConfig("Be brief.", temperature=0.2, max_output_tokens=50)
    told = chat_config(config, ReplyOverrides(instructions="", temperature=0.0, max_output_tokens=5), [])
    # Nothing and zero are wishes, too.
    assert told.instructions == ""
    assert told.HasField("temperature")
    assert told.temperature == 0.0
    assert told.max_output_tokens == 5
