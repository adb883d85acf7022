"""How long and how often a server that is asked over HTTP may be waited for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds to connect, from the request to the answer's first byte (retries and waits included), and between two of
    its pieces; how often a request may be asked again; how many may run at once."""

    connect_s: float
    first_byte_s: float
    between_s: float
    retries: int
    connections: int
