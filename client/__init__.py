"""The `voxfleet` command and the client library. The library's public names are those of this package."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.conversation import Conversation
    from client.errors import (
        ConnectionLostError,
        ProtocolError,
        RealtimeError,
        RejectedError,
        ReplyTimeoutError,
        UnreachableError,
    )
    from client.items import Item
    from client.realtime import DEFAULT_URL, RealtimeClient, connect
    from client.reconnecting import Reconnect, ReconnectPolicy
    from client.sound.loudspeaker import Position
    from client.sound.speech import read_wav, write_wav
    from client.speaking import ask
    from client.tools import Tools
    from client.turns import SAMPLE_RATE, Turn, TurnRecorder

__all__ = [
    "DEFAULT_URL",
    "SAMPLE_RATE",
    "ConnectionLostError",
    "Conversation",
    "Item",
    "Position",
    "ProtocolError",
    "RealtimeClient",
    "RealtimeError",
    "Reconnect",
    "ReconnectPolicy",
    "RejectedError",
    "ReplyTimeoutError",
    "Tools",
    "Turn",
    "TurnRecorder",
    "UnreachableError",
    "ask",
    "connect",
    "read_wav",
    "write_wav",
]

_MODULES = {
    "ConnectionLostError": "client.errors",
    "Conversation": "client.conversation",
    "DEFAULT_URL": "client.realtime",
    "Item": "client.items",
    "Position": "client.sound.loudspeaker",
    "ProtocolError": "client.errors",
    "RealtimeClient": "client.realtime",
    "RealtimeError": "client.errors",
    "Reconnect": "client.reconnecting",
    "ReconnectPolicy": "client.reconnecting",
    "RejectedError": "client.errors",
    "ReplyTimeoutError": "client.errors",
    "SAMPLE_RATE": "client.turns",
    "Tools": "client.tools",
    "Turn": "client.turns",
    "TurnRecorder": "client.turns",
    "UnreachableError": "client.errors",
    "ask": "client.speaking",
    "connect": "client.realtime",
    "read_wav": "client.sound.speech",
    "write_wav": "client.sound.speech",
}


if not TYPE_CHECKING:  # a checker that saw this would take every name for one of the package's

    def __getattr__(name: str) -> object:
        # Only when asked for: each process of a fleet starts with a module of this package that needs none of it.
        if name in _MODULES:
            return getattr(import_module(_MODULES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
