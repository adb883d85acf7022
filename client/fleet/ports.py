"""TCP ports: which are taken, which are free."""

import errno
import socket
from contextlib import ExitStack
from dataclasses import dataclass

_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class PortClaim:
    """A port that a process will listen on, and the environment `variable` that chooses another."""

    host: str
    port: int
    variable: str

    @property
    def target(self) -> str:
        """`host:port` to connect to; where the server listens on every address, the loopback one."""
        host = _ANY_ADDRESS.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def problem(self) -> str | None:
        """Why a server could not listen there now; None where it could."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As the servers do: a port whose last connections are still in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
                # Two sockets may be bound to a port with SO_REUSEADDR; only one may listen.
                probe.listen(1)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return f"port {self.port} on {self.host} is already in use; {self.variable} chooses another"
                return f"cannot listen on {self.host}:{self.port} ({error.strerror}); {self.variable} chooses another"
        return None


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """`count` different ports that nothing listens on at the moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)]
        for each in sockets:
            each.bind((host, 0))
        return [each.getsockname()[1] for each in sockets]
