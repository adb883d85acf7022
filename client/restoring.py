"""How a session begins, and how a conversation is taken into a new one: its configuration and its items."""

from dataclasses import dataclass

from client.connection import Connection
from client.conversation import Conversation
from client.errors import ProtocolError, RejectedError
from client.events import ErrorEvent, ItemDone, JsonObject, SessionCreated, SessionUpdated, describe_error

_UPDATE_ID = "restore_session"


@dataclass(frozen=True, slots=True)
class Restored:
    """How many items the server took, whether the last word of the conversation is not its own, and the configuration
    in force, where one was asked for.
    """

    items: int
    unanswered: bool
    session: JsonObject | None


async def greeting(connection: Connection) -> JsonObject:
    """The configuration that the server greets with. Raises RejectedError, ProtocolError, ConnectionLostError."""
    match event := await connection.receive():
        case SessionCreated(session=session):
            return session
        case ErrorEvent():
            raise RejectedError(describe_error(event))
        case _:
            raise ProtocolError(f"expected session.created first, got {type(event).__name__}")


async def restore(connection: Connection, configuration: JsonObject, conversation: Conversation) -> Restored:
    """Configures the session and creates the items, each under its own id.

    An item that the server refuses is left out. To be called before anybody else reads. Raises RejectedError where it
    refuses the configuration, ConnectionLostError.
    """
    if configuration:
        await connection.send({"type": "session.update", "event_id": _UPDATE_ID, "session": configuration})
    waiting: dict[str | None, str] = {}
    for number, item in enumerate(conversation.items):
        event_id = f"restore_{number}"
        waiting[event_id] = item.id
        await connection.send({"type": "conversation.item.create", "event_id": event_id, "item": item.as_json()})
    session: JsonObject | None = None
    taken = 0
    while (configuration and session is None) or waiting:
        match event := await connection.receive():
            case SessionUpdated():
                session = event.session
            case ItemDone(item):
                answered = [key for key, item_id in waiting.items() if item_id == item.id]
                for key in answered:
                    del waiting[key]
                taken += len(answered)
            case ErrorEvent(client_event_id=culprit) if culprit in waiting:
                del waiting[culprit]
            case ErrorEvent(client_event_id=culprit) if culprit in (_UPDATE_ID, None):
                raise RejectedError(describe_error(event))
            case _:
                pass
    return Restored(taken, conversation.unanswered, session)
