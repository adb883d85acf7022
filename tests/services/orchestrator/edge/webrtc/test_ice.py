"""Settings of the way between two peers."""

import pytest
from pydantic import ValidationError

from services.orchestrator.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webrtc_announce_address", "198.51.100.1"),
        ("webrtc_announce_address", "2001:db8::1"),
        ("webrtc_stun_server", "stun:stun.example.org"),
        ("webrtc_turn_server", "turn:turn.example.org:3478?transport=tcp"),
        ("webrtc_turn_server", "turns:turn.example.org"),
        ("webrtc_turn_server", ""),
    ],
)
def test_what_can_be_used_is_taken(name: str, value: str) -> None:
    assert getattr(Settings.model_validate({name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webrtc_announce_address", "example.org"),
        ("webrtc_stun_server", "stun.example.org"),
        ("webrtc_turn_server", "turn:me:secret@turn.example.org"),
        ("webrtc_connect_timeout_s", "0"),
    ],
)
def test_what_cannot_is_an_error_that_names_the_setting(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})
