"""Fixtures for every test."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(autouse=True)
def loop_never_blocks() -> Iterator[BlockBuster]:
    """Fails a test whose event loop makes a blocking call: sleep, lock, file, socket or subprocess."""
    with blockbuster_ctx() as guard:
        yield guard
