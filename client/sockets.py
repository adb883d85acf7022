"""Opens WebSockets to a voxfleet, with errors that are fit to be shown to a person."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from client.errors import RejectedError, UnreachableError

MAX_MESSAGE_BYTES = 16 << 20
_MAX_WAITING_MESSAGES = 256
_CLOSE_TIMEOUT_S = 2.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


async def open_socket(
    url: str, *, api_key: str | None, timeout_s: float, query: Mapping[str, str] | None = None
) -> ClientConnection:
    """A connection to `url`, handshake done within `timeout_s`; `query` is added to that of the URL.

    Raises UnreachableError, RejectedError.
    """
    try:
        return await connect(
            _with_query(url, query or {}),
            additional_headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            # A proxy of the environment is for the outside.
            proxy=None if urlsplit(url).hostname in _LOOPBACK else True,
            open_timeout=timeout_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=_MAX_WAITING_MESSAGES,
            compression=None,
        )
    except InvalidURI as error:
        raise UnreachableError(f"{url}: expected a ws:// or wss:// address") from error
    except InvalidStatus as error:
        body = (error.response.body or b"").decode(errors="replace").strip()
        detail = f": {body[:200]}" if body else ""
        status = error.response.status_code
        raise RejectedError(f"{url} answered HTTP {status}{detail}", status) from error
    except TimeoutError as error:
        raise UnreachableError(f"{url} did not answer within {timeout_s:g} s") from error
    except (OSError, EOFError, InvalidHandshake) as error:
        raise UnreachableError(f"no server at {url}") from error


def _with_query(url: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *query.items()]))) if query else url
