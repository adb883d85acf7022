import os
import sys

import pytest

from client.fleet.memory import resident_bytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


def test_a_running_python_holds_some_megabytes() -> None:
    size = resident_bytes(os.getpid())
    assert size is not None
    assert 5_000_000 < size < 50_000_000_000


def test_a_process_that_does_not_exist_holds_nothing_that_is_known() -> None:
    assert resident_bytes(2**22 + 1) is None
