"""What calls need of a test here, too."""

from tests.services.orchestrator.edge.webrtc.conftest import decoders_are_joined

__all__ = ["decoders_are_joined"]
