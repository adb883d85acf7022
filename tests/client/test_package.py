import subprocess
import sys

import pytest

import client


def test_every_public_name_is_there() -> None:
    for name in client.__all__:
        assert getattr(client, name) is not None
    assert client.connect == client.RealtimeClient.connect


def test_a_name_that_is_none_is_said_as_python_says_it() -> None:
    with pytest.raises(AttributeError, match="module 'client' has no attribute 'disconnect'"):
        _ = client.disconnect  # type: ignore[attr-defined]


def test_a_process_that_needs_nothing_of_it_loads_nothing_of_it() -> None:
    code = "import sys, client; sys.exit(any(name in sys.modules for name in ('numpy', 'grpc', 'websockets')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
