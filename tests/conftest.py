"""Fixtures for every test."""

from collections.abc import Iterator

import grpc.aio
import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(scope="session", autouse=True)
def grpc_stays_up() -> Iterator[None]:
    """Keeps gRPC's poller thread alive: whoever frees the last channel joins it, inside the event loop."""
    grpc.aio.init_grpc_aio()
    yield
    grpc.aio.shutdown_grpc_aio()


@pytest.fixture(autouse=True)
def loop_never_blocks() -> Iterator[BlockBuster]:
    """Fails a test whose event loop makes a blocking call: sleep, lock, file, socket or subprocess."""
    with blockbuster_ctx() as guard:
        # Playwright looks for its driver once, before any page exists.
        guard.functions["os.stat"].can_block_in("playwright/_impl/_driver.py", "compute_driver_executable")
        # aiortc waits for a receiver's decoder thread to end, which it does at once: the server's have nothing to do.
        for function in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):
            if function in guard.functions:
                guard.functions[function].can_block_in("aiortc/rtcrtpreceiver.py", "__stop_decoder")
        yield guard
