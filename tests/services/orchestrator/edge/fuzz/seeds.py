"""One good message of every kind that an endpoint takes."""

from typing import Any

from tests.services.orchestrator.edge.fuzz.messages import audio

Json = dict[str, Any]

_TOOL: Json = {"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object"}}

REALTIME: list[Json] = [
    {
        "type": "session.update",
        "event_id": "e1",
        "session": {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["text"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "whisper-1", "language": "en", "prompt": "Ada"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "high", "create_response": True},
                    "noise_reduction": {"type": "near_field"},
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": "anna", "speed": 1.1},
            },
            "tools": [_TOOL],
            "tool_choice": {"type": "function", "name": "weather"},
            "max_output_tokens": 20,
        },
    },
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "audio": {
                "input": {
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.5,
                        "prefix_padding_ms": 300,
                        "silence_duration_ms": 500,
                        "idle_timeout_ms": 5000,
                        "interrupt_response": False,
                    }
                }
            },
        },
    },
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    {"type": "input_audio_buffer.append", "audio": audio(0.01)},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "output_audio_buffer.clear"},
    {
        "type": "conversation.item.create",
        "previous_item_id": "root",
        "item": {
            "id": "item_a",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "hello"}],
        },
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio(0.01)}]},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "name": "weather", "call_id": "c1", "arguments": "{}"},
    },
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c1", "output": "9"}},
    {"type": "conversation.item.retrieve", "item_id": "item_a"},
    {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 100},
    {"type": "conversation.item.delete", "item_id": "item_a"},
    {"type": "response.create"},
    {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "instructions": "One word.",
            "output_modalities": ["text"],
            "max_output_tokens": "inf",
            "metadata": {"topic": "x"},
            "input": [{"type": "item_reference", "id": "item_a"}],
            "tools": [_TOOL],
            "tool_choice": "none",
        },
    },
    {"type": "response.cancel", "response_id": "resp_1"},
    {"type": "voxfleet.playout.position", "item_id": "item_a", "audio_ms": 12.5, "playing": False},
]

BETA: list[Json] = [
    {
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": "Be brief.",
            "voice": "anna",
            "input_audio_format": "pcm16",
            "output_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 200},
            "tools": [_TOOL],
            "tool_choice": "auto",
            "temperature": 0.7,
            "max_response_output_tokens": "inf",
        },
    },
    {"type": "input_audio_buffer.append", "audio": audio(0.01)},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]},
    },
    {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 100},
    {"type": "conversation.item.delete", "item_id": "item_a"},
    {"type": "response.create", "response": {"modalities": ["text"], "instructions": "x", "voice": "bert"}},
    {"type": "response.cancel"},
]

PLAIN: list[Json] = [
    {
        "type": "configure",
        "sample_rate": 16000,
        "instructions": "Be brief.",
        "voice": "anna",
        "language": "en",
        "silence_ms": 300,
        "detection": True,
    },
    {"type": "text", "text": "hello"},
    {"type": "commit"},
    {"type": "clear"},
    {"type": "cancel"},
    {"type": "playout", "item_id": "item_a", "audio_ms": 20.0, "playing": True},
    {"type": "ping", "id": "p"},
    {"type": "pong", "id": "p"},
]

STT: list[Json] = [{"type": "flush"}, {"type": "Finalize"}, {"type": "KeepAlive"}]

TTS: list[Json] = [
    {"type": "set_voice", "voice": "anna", "language": "en", "speed": 1.2},
    {"type": "set_voice", "reference_audio": audio(0.01), "reference_text": "hello"},
    {"type": "synthesize", "text": "Hello there.", "id": "a", "voice": "bert", "speed": 2},
    {"type": "cancel"},
]

CHAT: list[Json] = [
    {
        "model": "voxfleet",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "9"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "max_completion_tokens": 5,
        "temperature": 0.2,
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    {"model": "voxfleet", "messages": [{"role": "user", "content": "hello"}], "n": 1},
]

SPEECH: list[Json] = [
    {"model": "tts-1", "input": "Hello.", "voice": "anna", "response_format": "pcm", "speed": 1.0},
    {"model": "tts-1", "input": "Hello.", "voice": {"id": "bert"}, "stream_format": "audio"},
]

SECRET: list[Json] = [
    {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {
            "type": "realtime",
            "model": "m",
            "instructions": "x",
            "audio": {"output": {"voice": "anna"}},
            "tools": [_TOOL],
        },
    },
    {},
]

BETA_SECRET: list[Json] = [{"model": "m", "modalities": ["text"], "instructions": "x", "voice": "anna"}]

TRANSCRIPTION: list[Json] = [
    {
        "model": "whisper-1",
        "language": "en",
        "prompt": "Ada",
        "response_format": "verbose_json",
        "temperature": "0",
        "timestamp_granularities[]": "word",
        "stream": "false",
    },
    {"model": "whisper-1"},
]
