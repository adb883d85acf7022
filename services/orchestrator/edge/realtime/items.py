"""A client's items as the conversation has them, and the audio in them. Pure.

`path` is where an item stands in the client's event, for errors.
"""

import base64

from services.orchestrator.conversation import Item, ItemKind, Part, Role
from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.edge.realtime.audio_formats import AudioFormat, Decoder
from services.orchestrator.edge.realtime.refusals import RefusedError
from services.orchestrator.ids import new_id


def item(wish: client.MessageItem | client.FunctionCallItem | client.FunctionCallOutputItem, path: str) -> Item:
    """The item. Audio in it says nothing yet. Raises RefusedError."""
    item_id = wish.id or new_id("item")
    match wish:
        case client.MessageItem():
            parts = tuple(_part(wish.role, part, f"{path}.content.{at}") for at, part in enumerate(wish.content))
            return Item.of_parts(item_id, Role(wish.role), parts)
        case client.FunctionCallItem(name=name, call_id=call_id, arguments=arguments):
            kind = ItemKind.FUNCTION_CALL
            return Item(item_id, kind, Role.ASSISTANT, name=name, call_id=call_id, arguments=arguments)
        case client.FunctionCallOutputItem(call_id=call_id, output=output):
            return Item(item_id, ItemKind.FUNCTION_CALL_OUTPUT, text=output, call_id=call_id)


def _part(role: str, part: client.ContentPart, path: str) -> Part:
    if isinstance(part, client.TextPart):
        return Part(part.text)
    if role != "user":
        raise RefusedError.invalid(f"{path}.type", f"a text in a message of the role {role!r}, got 'input_audio'")
    if part.audio is not None:
        return Part(None, spoken=True)
    if part.transcript is None:
        message = f"{path}.audio: expected audio, or only a transcript, got neither"
        raise RefusedError("missing_required_parameter", message, f"{path}.audio")
    return Part(part.transcript, spoken=True)


def audio_of(wish: client.ClientItem, path: str, audio_format: AudioFormat) -> dict[int, bytes]:
    """The audio of each part that has some, in `audio_format`. Raises RefusedError."""
    if not isinstance(wish, client.MessageItem):
        return {}
    return {
        at: decoded(part.audio, f"{path}.content.{at}.audio", audio_format)
        for at, part in enumerate(wish.content)
        if isinstance(part, client.AudioPart) and part.audio is not None
    }


def decoded(audio: str, param: str, audio_format: AudioFormat) -> bytes:
    """Base64 as audio of whole samples in `audio_format`. Raises RefusedError."""
    if len(audio) > client.MAX_APPEND_BYTES * 4 // 3 + 4:
        limit = client.MAX_APPEND_BYTES >> 20
        raise RefusedError("audio_too_large", f"{param}: expected at most {limit} MiB of audio", param)
    try:
        samples = base64.b64decode(audio, validate=True)
    except ValueError as problem:
        message = f"{param}: expected base64, got something else: {problem}"
        raise RefusedError("invalid_audio", message, param) from None
    if len(samples) % audio_format.sample_bytes:
        message = f"{param}: expected whole 16-bit samples, got {len(samples)} bytes"
        raise RefusedError("invalid_audio", message, param)
    return samples


def pcm(audio: bytes, audio_format: AudioFormat) -> bytes:
    """Audio that is all there, in the fleet's format. Takes as long as there is audio: not for the event loop."""
    decoder = Decoder(audio_format)
    return decoder.push(audio) + decoder.flush()
