"""What goes wrong between the client and a Realtime server; every text is fit to be shown to a person."""

from collections.abc import Iterator
from contextlib import contextmanager


class RealtimeError(Exception):
    """The base of all of them."""


class ProtocolError(RealtimeError):
    """The server sent something that is not an event of the protocol."""


class UnreachableError(RealtimeError):
    """No connection to the server."""


class RejectedError(RealtimeError):
    """The server refused the connection, with the HTTP status `status`, or a request (None)."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ConnectionLostError(RealtimeError):
    """The connection ended, with the WebSocket close code `code`; None where nobody said goodbye."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ReplyTimeoutError(RealtimeError):
    """The server fell silent before it was done."""


@contextmanager
def one_error() -> Iterator[None]:
    """Around a TaskGroup: both sides of a connection may see it go, but the caller gets one error and no group."""
    try:
        yield
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
