"""What a client asks of its session, as `session.update` takes it. Pure."""

from collections.abc import Mapping
from typing import Literal, cast

from client.events import JsonObject
from client.tools import Tools
from client.turns import SAMPLE_RATE


def session_update(
    *,
    instructions: str | None = None,
    language: str | None = None,
    voice: str | None = None,
    turn_detection: Mapping[str, object] | None = None,
    push_to_talk: bool = False,
    modality: Literal["audio", "text"] | None = None,
    tools: Tools | None = None,
    more: Mapping[str, object] | None = None,
) -> JsonObject:
    """The session of a `session.update`; what is None is not in it, and stays as it is. `more` goes over the rest.

    Raises ValueError where turns shall be detected and not be detected.
    """
    if push_to_talk and turn_detection is not None:
        raise ValueError("turn_detection: expected none with push_to_talk, where the client ends the turns")
    audio_input: dict[str, object] = {"format": {"type": "audio/pcm", "rate": SAMPLE_RATE}}
    audio_output: dict[str, object] = {"format": {"type": "audio/pcm", "rate": SAMPLE_RATE}}
    session: dict[str, object] = {"type": "realtime", "audio": {"input": audio_input, "output": audio_output}}
    if instructions is not None:
        session["instructions"] = instructions
    if modality is not None:
        session["output_modalities"] = [modality]
    if tools is not None:
        session["tools"] = tools.definitions
    if language is not None:
        audio_input["transcription"] = {"language": language}
    if push_to_talk:
        audio_input["turn_detection"] = None
    elif turn_detection is not None:
        audio_input["turn_detection"] = dict(turn_detection)
    if voice is not None:
        audio_output["voice"] = voice
    return merged(session, more or {})


def merged(below: JsonObject, above: JsonObject) -> JsonObject:
    """Both, field by field; where both say something, `above` does."""
    result = dict(below)
    for name, value in above.items():
        under = result.get(name)
        both = isinstance(under, Mapping) and isinstance(value, Mapping) and _same_kind(under, value)
        result[name] = merged(cast(JsonObject, under), cast(JsonObject, value)) if both else value
    return result


def _same_kind(below: Mapping[str, object], above: Mapping[str, object]) -> bool:
    """Objects of different types (a format, a turn detection) replace each other."""
    return below.get("type") == above.get("type")
