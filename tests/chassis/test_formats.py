"""The demands on incoming audio."""

import pytest
from voxfleet.audio.v1.audio_pb2 import AudioFormat

from chassis.errors import StageError
from chassis.formats import fleet_format, require_fleet_format, require_whole_samples


def test_the_fleet_format_is_accepted() -> None:
    require_fleet_format(fleet_format())


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (AudioFormat(sample_rate_hz=8000), "format.sample_rate_hz", "expected 16000, got 8000"),
        (AudioFormat(channels=2), "format.channels", "expected 1, got 2"),
        # An encoding that a newer caller knows: open enums keep its number.
        (AudioFormat(encoding=9), "format.encoding", "expected AUDIO_ENCODING_PCM_S16LE, got 9"),  # type: ignore[arg-type]
    ],
)
def test_another_format_is_refused_by_the_field_at_fault(change: AudioFormat, field: str, message: str) -> None:
    audio_format = fleet_format()
    audio_format.MergeFrom(change)
    with pytest.raises(StageError, match=message) as refusal:
        require_fleet_format(audio_format)
    assert refusal.value.field == field


def test_a_format_that_was_not_set_is_refused() -> None:
    with pytest.raises(StageError, match="got AUDIO_ENCODING_UNSPECIFIED"):
        require_fleet_format(AudioFormat())


def test_half_a_sample_is_refused() -> None:
    require_whole_samples(b"")
    require_whole_samples(bytes(640))
    with pytest.raises(StageError, match="got 641 bytes") as refusal:
        require_whole_samples(bytes(641))
    assert refusal.value.field == "audio"
