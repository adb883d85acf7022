"""The plain protocol over a real WebSocket, stages scripted."""

import json
from typing import Any

import pytest

from tests.support.edge import connected, scripted_edge
from tests.support.scripted import Script


async def test_binary_speech_in_binary_speech_out() -> None:
    async with scripted_edge(Script()) as address, connected(address, "/realtime") as client:
        session = await client.until("session")
        assert session["audio"]["input_sample_rate"] == 16_000
        await client.speak_binary(0.8, 0.8)
        done = await client.until("reply_done")
        assert (done["status"], done["heard"]) == ("completed", "It is noon. The sun is high.")
        seconds = sum(len(frame) for frame in client.told if isinstance(frame, bytes)) / 2 / 24_000
        assert abs(seconds - 0.02 * len("It is noon. The sun is high.")) < 0.01
        kinds = [kind for kind in client.kinds if kind not in ("audio", "reply_text", "partial")]
        assert kinds == [
            "session",
            "speech_started",
            "speech_stopped",
            "transcript",
            "reply_started",
            "marks",
            "reply_done",
        ]


async def test_a_written_question_is_answered_aloud() -> None:
    script = Script()
    async with scripted_edge(script) as address, connected(address, "/realtime") as client:
        await client.send(type="configure", language="fr", voice="anna", instructions="Be brief.", silence_ms=300)
        await client.until("configured")
        await client.send(type="text", text="hello")
        await client.until("reply_done")
        assert "audio" in client.kinds
    assert script.chats[0].instructions == "Be brief."
    assert script.voices[0].voice == "anna"


BAD: list[tuple[str | bytes | dict[str, Any], str, str | None]] = [
    (b"\0\0\0", "invalid_audio", "audio"),
    (bytes(20 << 20), "audio_too_large", "audio"),
    ("hello", "invalid_json", None),
    ('{"type": "\\ud800"}', "invalid_json", None),
    ("[" * 100_000, "invalid_json", None),
    ({"type": "dance"}, "invalid_value", "type"),
    ({"type": "configure", "sample_rate": 8000}, "invalid_value", "sample_rate"),
    ({"type": "configure", "voice": "zoe"}, "invalid_value", "voice"),
    ({"type": "configure", "volume": 11}, "unknown_parameter", "volume"),
    ({"type": "text"}, "missing_required_parameter", "text"),
    ({"type": "commit"}, "input_audio_buffer_commit_empty", None),
]


@pytest.mark.parametrize(("frame", "code", "field"), BAD)
async def test_bad_input_is_an_error_that_names_the_field_and_the_session_lives(
    frame: str | bytes | dict[str, Any], code: str, field: str | None
) -> None:
    async with scripted_edge(Script()) as address, connected(address, "/realtime") as client:
        if code == "input_audio_buffer_commit_empty":
            await client.send(type="configure", detection=False)
        await client.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)
        error = await client.until("error")
        assert (error["code"], error["field"]) == (code, field)
        await client.send(type="text", text="hello")
        await client.until("reply_done")
