"""The beta's names for what the GA protocol says. Both are checked against OpenAI's own types."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter, ValidationError
from voxfleet.llm.v1 import llm_pb2

from chassis.errors import Code, StageError
from services.orchestrator import events
from services.orchestrator.conversation import Item, ItemKind, Role
from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.edge.realtime import views
from services.orchestrator.edge.realtime.audio_formats import AudioFormat
from services.orchestrator.edge.realtime.beta import Beta, is_wanted
from services.orchestrator.edge.realtime.server_events import ServerEvents, error
from services.orchestrator.edge.validation import Fault, explain
from services.orchestrator.session_config import SessionConfig
from services.orchestrator.turn_events import CancelReason

BETA = Beta()
SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
CONFIG = SessionConfig(
    "Be brief.",
    voice="anna",
    language="de",
    hint="Berlin",
    temperature=0.7,
    max_output_tokens=99,
    tools=(llm_pb2.Tool(name="weather", description="The weather.", parameters_json='{"type":"object"}'),),
)
# Fields that the beta's types do not name: the real service sends the first two, the others are taken over from GA.
UNTYPED = {"object", "expires_at", "idle_timeout_ms", "message"}

# What an older page sends when it opens a session.
OLD_SESSION = {
    "modalities": ["text", "audio"],
    "instructions": "Be brief.",
    "voice": "verse",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200},
    "tools": [{"type": "function", "name": "weather", "description": "", "parameters": {"type": "object"}}],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": 4096,
}


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


def respond(**response: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": response}


def session_said(**session: Any) -> dict[str, Any]:
    """What the GA protocol is told by a beta client's `session.update`."""
    event = BETA.parse(update(**session))
    assert isinstance(event, client.SessionUpdate)
    said = event.session.model_dump(mode="json", exclude_unset=True)
    assert said.pop("type") == "realtime"
    return said


def response_said(**response: Any) -> dict[str, Any]:
    event = BETA.parse(respond(**response))
    assert isinstance(event, client.ResponseCreate)
    assert event.response is not None
    return event.response.model_dump(mode="json", exclude_unset=True)


def fault_of(message: Any) -> Fault:
    with pytest.raises(ValidationError) as caught:
        BETA.parse(message)
    return explain(caught.value, message)


def tell(message: dict[str, Any]) -> dict[str, Any]:
    told = BETA.tell(message | {"event_id": "event_1"})
    assert told is not None
    check(told)
    return told


def check(told: dict[str, Any]) -> None:
    """Every field of an event is one that the beta has, and has a value that it may have."""
    assert not set(extras(SERVER_EVENT.validate_python(told))) - UNTYPED


def extras(value: Any) -> Iterator[str]:
    match value:
        case BaseModel():
            yield from value.model_extra or ()
            for name in type(value).model_fields:
                yield from extras(getattr(value, name))
        case list():
            for one in value:
                yield from extras(one)


# -- what a client sends -----------------------------------------------------------------------------------------------


def test_an_older_pages_session_is_told_in_the_words_of_the_ga_protocol() -> None:
    assert session_said(**OLD_SESSION) == {
        "instructions": "Be brief.",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm"},
                "transcription": {"model": "whisper-1"},
                "turn_detection": OLD_SESSION["turn_detection"],
            },
            "output": {"format": {"type": "audio/pcm"}, "voice": "verse"},
        },
        "tools": OLD_SESSION["tools"],
        "tool_choice": "auto",
        "temperature": 0.8,
        "max_output_tokens": 4096,
    }


@pytest.mark.parametrize(
    ("session", "said"),
    [
        ({}, {}),
        ({"model": "gpt-4o-realtime-preview"}, {"model": "gpt-4o-realtime-preview"}),
        ({"modalities": ["text"]}, {"output_modalities": ["text"]}),
        ({"modalities": ["audio", "text"]}, {"output_modalities": ["audio"]}),
        ({"modalities": None}, {"output_modalities": None}),
        ({"input_audio_format": "g711_ulaw"}, {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}),
        ({"output_audio_format": "g711_alaw"}, {"audio": {"output": {"format": {"type": "audio/pcma"}}}}),
        ({"input_audio_format": None}, {"audio": {"input": {"format": None}}}),
        # Null is a wish here: off.
        ({"turn_detection": None}, {"audio": {"input": {"turn_detection": None}}}),
        ({"input_audio_transcription": None}, {"audio": {"input": {"transcription": None}}}),
        ({"input_audio_noise_reduction": None}, {"audio": {"input": {"noise_reduction": None}}}),
        (
            {"input_audio_noise_reduction": {"type": "far_field"}},
            {"audio": {"input": {"noise_reduction": {"type": "far_field"}}}},
        ),
        ({"speed": 1.2}, {"audio": {"output": {"speed": 1.2}}}),
        ({"max_response_output_tokens": "inf"}, {"max_output_tokens": "inf"}),
        (
            {"tool_choice": {"type": "function", "name": "weather"}},
            {"tool_choice": {"type": "function", "name": "weather"}},
        ),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"tool_choice": {"type": "function", "name": "weather"}},
        ),
        ({"tracing": "auto"}, {"tracing": "auto"}),
    ],
)  # fmt: skip
def test_a_flat_session_is_nested_and_what_is_not_said_is_not_said(
    session: dict[str, Any], said: dict[str, Any]
) -> None:
    assert session_said(**session) == said


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({}, {}),
        ({"modalities": ["text"], "instructions": "Hi."}, {"output_modalities": ["text"], "instructions": "Hi."}),
        (
            {"voice": "bert", "output_audio_format": "pcm16"},
            {"audio": {"output": {"voice": "bert", "format": {"type": "audio/pcm"}}}},
        ),
        ({"max_response_output_tokens": 9, "temperature": 1}, {"max_output_tokens": 9, "temperature": 1.0}),
        ({"max_output_tokens": 9}, {"max_output_tokens": 9}),
        ({"conversation": "auto", "metadata": {"a": "b"}}, {"conversation": "auto", "metadata": {"a": "b"}}),
        (
            {"conversation": "none", "input": [{"type": "item_reference", "id": "item_1"}]},
            {"conversation": "none", "input": [{"type": "item_reference", "id": "item_1"}]},
        ),
        (
            {"tools": [], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"tools": [], "tool_choice": {"type": "function", "name": "weather"}},
        ),
    ],
)
def test_a_flat_response_is_nested(response: dict[str, Any], said: dict[str, Any]) -> None:
    assert response_said(**response) == said


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.append", "audio": "AAAA", "event_id": "e1"},
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "conversation.item.retrieve", "item_id": "item_1"},
        {"type": "conversation.item.delete", "item_id": "item_1"},
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 5},
        {"type": "response.cancel"},
        {"type": "response.create"},
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
        },
        {
            "type": "conversation.item.create",
            "previous_item_id": "root",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
        },
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        },
    ],
)
def test_events_that_are_alike_in_both_are_passed_on(event: dict[str, Any]) -> None:
    CLIENT_EVENT.validate_python(event)
    assert BETA.parse(event) == client.CLIENT_EVENT.validate_python(event)


def test_the_clients_event_id_is_kept() -> None:
    assert BETA.parse(update() | {"event_id": "e1"}).event_id == "e1"
    assert BETA.parse(respond() | {"event_id": "e2"}).event_id == "e2"


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ([], None, "invalid_value"),
        ({"type": "transcription_session.update", "session": {}}, "type", "invalid_value"),
        (update(modalities=["video"]), "session.modalities.0", "invalid_value"),
        (update(modalities=[]), "session.modalities", "invalid_value"),
        (update(input_audio_format="mp3"), "session.input_audio_format", "invalid_value"),
        (update(output_audio_format="audio/pcm"), "session.output_audio_format", "invalid_value"),
        (update(voice=""), "session.voice", "invalid_value"),
        (update(speed=3), "session.speed", "invalid_value"),
        (update(temperature=3), "session.temperature", "invalid_value"),
        (update(max_response_output_tokens=0), "session.max_response_output_tokens", "invalid_value"),
        (update(input_audio_transcription={"language": "English"}), "session.input_audio_transcription.language",
         "invalid_value"),
        (update(turn_detection={"type": "server_vad", "threshold": 3}), "session.turn_detection.threshold",
         "invalid_value"),
        (update(turn_detection={}), "session.turn_detection.type", "missing_required_parameter"),
        (update(tools=[{"type": "function"}]), "session.tools.0.name", "missing_required_parameter"),
        (update(tool_choice={"type": "function", "function": {}}), "session.tool_choice.function.name",
         "missing_required_parameter"),
        (update(client_secret={}), "session.client_secret", "unknown_parameter"),
        # Names of the GA protocol are unknown here.
        (update(type="realtime"), "session.type", "unknown_parameter"),
        (update(audio={}), "session.audio", "unknown_parameter"),
        (update(output_modalities=["audio"]), "session.output_modalities", "unknown_parameter"),
        (respond(audio={}), "response.audio", "unknown_parameter"),
        # What voxfleet does not do.
        (respond(conversation="other"), "response.conversation", "invalid_value"),
        (respond(input=[{"type": "item_reference"}]), "response.input.0.id", "missing_required_parameter"),
        ({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
          "content": [{"type": "input_image", "image_url": "data:"}]}}, "item.content.0.type", "invalid_value"),
    ],
)  # fmt: skip
def test_a_fault_names_the_field_that_the_client_wrote(message: Any, param: str | None, code: str) -> None:
    fault = fault_of(message)
    assert (fault.param, fault.code) == (param, code)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("session.audio.output.voice", "session.voice"),
        ("response.audio.output.voice", "response.voice"),
        ("response.audio.output.format", "response.output_audio_format"),
        ("session.output_modalities", "session.modalities"),
        ("session.instructions", "session.instructions"),
        ("item.id", "item.id"),
        ("audio", "audio"),
    ],
)
def test_fields_of_the_ga_protocol_have_the_betas_names(path: str, name: str) -> None:
    assert BETA.field(path) == name


FORMAT = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"]) | st.none()
MODALITIES = st.sampled_from([["text"], ["audio"], ["text", "audio"], ["audio", "text"]]) | st.none()
TOKENS = st.integers(1, 4096) | st.just("inf") | st.none()
SHARED = {
    "modalities": MODALITIES,
    "instructions": st.text(max_size=5) | st.none(),
    "voice": st.text(min_size=1, max_size=5) | st.none(),
    "output_audio_format": FORMAT,
    "temperature": st.floats(0, 2) | st.none(),
    "max_response_output_tokens": TOKENS,
}
SESSIONS = st.fixed_dictionaries(
    {},
    optional=SHARED
    | {
        "speed": st.floats(0.25, 1.5) | st.none(),
        "input_audio_format": FORMAT,
        "input_audio_transcription": st.just({"language": "en"}) | st.none(),
        "input_audio_noise_reduction": st.just({"type": "near_field"}) | st.none(),
        "turn_detection": st.sampled_from([{"type": "server_vad"}, {"type": "semantic_vad", "eagerness": "low"}, None]),
        "tools": st.just([{"type": "function", "name": "weather"}]) | st.none(),
        "tool_choice": st.sampled_from(["none", "auto", "required", {"type": "function", "name": "weather"}, None]),
    },
)


@given(SESSIONS)
def test_whatever_a_beta_client_may_say_of_a_session_can_be_told(session: dict[str, Any]) -> None:
    assert isinstance(BETA.parse(update(**session)), client.SessionUpdate)


@given(st.fixed_dictionaries({}, optional=SHARED))
def test_whatever_a_beta_client_may_say_of_a_response_can_be_told(response: dict[str, Any]) -> None:
    assert isinstance(BETA.parse(respond(**response)), client.ResponseCreate)


# -- what the server sends ---------------------------------------------------------------------------------------------


def session_view(input_format: AudioFormat = AudioFormat.PCM) -> dict[str, Any]:
    model = "gpt-4o-realtime-preview"
    return views.session("sess_1", CONFIG, model=model, transcribe=True, expires_at=5, input_format=input_format)


def test_a_session_is_flat() -> None:
    told = tell({"type": "session.created", "session": session_view(AudioFormat.PCMU)})
    assert told["session"] == {
        "id": "sess_1",
        "object": "realtime.session",
        "model": "gpt-4o-realtime-preview",
        "expires_at": 5,
        "modalities": ["text", "audio"],
        "instructions": "Be brief.",
        "voice": "anna",
        "speed": 1.0,
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "voxfleet-stt", "language": "de", "prompt": "Berlin"},
        "input_audio_noise_reduction": None,
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "idle_timeout_ms": None,
            "create_response": True,
            "interrupt_response": True,
        },
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "description": "The weather.",
                "parameters": {"type": "object"},
            }
        ],
        "tool_choice": "auto",
        "temperature": 0.7,
        "max_response_output_tokens": 99,
        "tracing": None,
    }


def test_a_session_that_is_told_can_be_sent_back() -> None:
    told = tell({"type": "session.updated", "session": session_view()})["session"]
    for name in ("id", "object", "expires_at"):
        del told[name]
    assert session_said(**told)["audio"]["output"]["voice"] == "anna"


SPOKEN = Item("item_2", role=Role.ASSISTANT, text="Good day.", spoken=True)
WRITTEN = Item("item_5", role=Role.ASSISTANT, text="Sunny.")
ASIDE = Item("item_6", role=Role.ASSISTANT, text="Aside.")
GONE = StageError(Code.UNAVAILABLE, "GONE", "the stage is gone", stage="stt")
CALL = Item("item_3", ItemKind.FUNCTION_CALL, name="weather", call_id="call_1", arguments="{}")
PERSON = Item("item_1", role=Role.USER, text="Hello.", spoken=True)
STORY: list[events.Event] = [
    events.SpeechBegan("item_1", 20),
    events.PartialTranscript("item_1", "Hel", "lo."),
    events.SpeechEnded("item_1", 900),
    events.UserTurn(PERSON, None, 0.9),
    events.ReplyBegan("resp_1", "item_2", "audio", "anna", 99, {"who": "me"}),
    events.OutputBegan("resp_1", replace(SPOKEN, text="", status="in_progress"), events.Place("item_1")),
    events.ReplyText("resp_1", "item_2", "Good day."),
    events.ReplyAudio("resp_1", "item_2", bytes(960), 24_000),
    events.OutputDone("resp_1", SPOKEN, events.Place("item_1")),
    events.OutputBegan("resp_1", replace(CALL, arguments="", status="in_progress"), events.Place("item_2")),
    events.CallArguments("resp_1", "item_3", "call_1", "{"),
    events.CallArguments("resp_1", "item_3", "call_1", "}"),
    events.OutputDone("resp_1", CALL, events.Place("item_2")),
    events.ReplyDone("resp_1", SPOKEN, (SPOKEN, CALL), text="Good day."),
    events.ItemAdded(Item("item_4", ItemKind.FUNCTION_CALL_OUTPUT, text="sunny", call_id="call_1"), "item_3"),
    events.ReplyBegan("resp_2", "item_5", "text", "anna", 99),
    events.OutputBegan("resp_2", replace(WRITTEN, text="", status="in_progress"), events.Place("item_4")),
    events.ReplyText("resp_2", "item_5", "Sunny."),
    events.OutputDone("resp_2", WRITTEN, events.Place("item_4")),
    events.ReplyDone("resp_2", WRITTEN, (WRITTEN,), text="Sunny."),
    events.ReplyBegan("resp_3", "item_6", "text", in_conversation=False),
    events.OutputBegan("resp_3", replace(ASIDE, text="", status="in_progress"), None),
    events.ReplyText("resp_3", "item_6", "Aside."),
    events.OutputDone("resp_3", ASIDE, None),
    events.ReplyDone("resp_3", ASIDE, (ASIDE,), text="Aside."),
    events.AudioUnderstood("item_7", 1, "What time is it?", 1.5),
    events.AudioNotUnderstood("item_8", 0, GONE),
    events.SessionError("stt_unavailable", "no answer", "stt"),
]


def test_a_conversation_is_told_in_the_betas_words_and_order() -> None:
    out = ServerEvents("conv_1")
    told = [BETA.tell(message) for event in STORY for message in out.of(event, CONFIG)]
    sent = [message for message in told if message is not None]
    for message in sent:
        check(message)
    assert [message["type"] for message in sent] == [
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.delta",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "conversation.item.created",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "response.content_part.added",
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.failed",
        "error",
    ]
    created = [message["item"]["id"] for message in sent if message["type"] == "conversation.item.created"]
    assert created == ["item_1", "item_2", "item_3", "item_4", "item_5"]
    first, second, aside = (message["response"] for message in sent if message["type"] == "response.done")
    assert first["output"][0]["content"] == [{"type": "audio", "transcript": "Good day."}]
    assert first["output"][1]["name"] == "weather"
    assert (first["modalities"], first["voice"], first["output_audio_format"]) == (["text", "audio"], "anna", "pcm16")
    assert second["output"][0]["content"] == [{"type": "text", "text": "Sunny."}]
    assert (second["modalities"], second["max_output_tokens"]) == (["text"], 99)
    assert first["metadata"] == {"who": "me"}
    assert (first["conversation_id"], aside["conversation_id"]) == ("conv_1", None)


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        (CancelReason.INTERRUPTED, None),
        (CancelReason.CLIENT, None),
        (CancelReason.FAILED, StageError(Code.UNAVAILABLE, "UNAVAILABLE", "no answer", stage="llm")),
    ],
)
def test_a_reply_that_was_stopped_says_why(reason: CancelReason, failure: StageError | None) -> None:
    out = ServerEvents("conv_1", audio_format=AudioFormat.PCMA)
    out.of(events.ReplyBegan("resp_1", "item_2", "audio"), CONFIG)
    cut = replace(SPOKEN, text="Good", status="incomplete")
    done = events.ReplyDone("resp_1", cut, cancelled=reason, error=failure, text="Good day.")
    told = tell(out.of(done, CONFIG)[-1])["response"]
    assert told["output_audio_format"] == "g711_alaw"
    assert told["status_details"]["type"] == told["status"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "conversation.created", "conversation": {"id": "conv_1", "object": "realtime.conversation"}},
        {"type": "input_audio_buffer.cleared"},
        {"type": "conversation.item.deleted", "item_id": "item_1"},
        {"type": "conversation.item.truncated", "item_id": "item_1", "content_index": 0, "audio_end_ms": 5},
        error("session.voice: expected another", code="invalid_value", param="session.voice", event_id="e1"),
    ],
)
def test_events_that_are_alike_in_both_are_told_as_they_are(message: dict[str, Any]) -> None:
    assert tell(message) == message | {"event_id": "event_1"}


def test_an_item_that_is_retrieved_has_the_betas_content_types() -> None:
    told = tell({"type": "conversation.item.retrieved", "item": views.item(SPOKEN)})
    assert told["item"]["content"] == [{"type": "audio", "transcript": "Good day."}]


def test_what_is_told_leaves_the_ga_event_as_it_was() -> None:
    item = views.item(SPOKEN)
    message: dict[str, Any] = {"type": "conversation.item.added", "previous_item_id": None, "item": item}
    tell(message)
    assert message["type"] == "conversation.item.added"
    assert message["item"]["content"][0]["type"] == "output_audio"


# -- who speaks it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "subprotocols", "wanted"),
    [
        ("", [], False),
        ("realtime=v1", [], True),
        ("assistants=v2, realtime=v1", [], True),
        ("assistants=v2", [], False),
        ("realtime=v10", [], False),
        ("", ["realtime", "openai-beta.realtime-v1"], True),
        ("", ["realtime"], False),
    ],
)
def test_the_beta_is_chosen_by_header_or_subprotocol(header: str, subprotocols: list[str], wanted: bool) -> None:
    assert is_wanted(header, subprotocols) is wanted
