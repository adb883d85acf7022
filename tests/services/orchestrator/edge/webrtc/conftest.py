"""What calls need of a test."""

import pytest
from blockbuster import BlockBuster

from tests.services.orchestrator.edge.webrtc.caller import tone
from tests.support import scripted


@pytest.fixture(autouse=True)
def decoders_are_joined(loop_never_blocks: BlockBuster) -> None:
    """aiortc waits for a receiver's decoder thread to end, which it does at once: the server's have nothing to do."""
    for function in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):
        if function in loop_never_blocks.functions:
            loop_never_blocks.functions[function].can_block_in("aiortc/rtcrtpreceiver.py", "__stop_decoder")


@pytest.fixture(autouse=True)
def audible_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted voices say something that Opus lets pass."""
    monkeypatch.setattr(scripted, "speech", lambda seconds, rate=16_000: tone(seconds, rate))
