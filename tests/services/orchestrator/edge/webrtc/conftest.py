"""What calls need of a test."""

import pytest

from tests.services.orchestrator.edge.webrtc.caller import tone
from tests.support import scripted


@pytest.fixture(autouse=True)
def audible_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted voices say something that Opus lets pass."""
    monkeypatch.setattr(scripted, "speech", lambda seconds, rate=16_000: tone(seconds, rate))
