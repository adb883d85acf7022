"""A stream's config, field by field."""

import math

import pytest
from voxfleet.vad.v1.vad_pb2 import DetectConfig

from chassis.errors import StageError
from chassis.formats import fleet_format
from services.vad.config import StreamConfig
from services.vad.settings import Settings


def test_what_is_left_out_takes_the_servers_default() -> None:
    defaults = Settings(threshold=0.25, stop_silence_ms=320, min_speech_ms=96)
    config = StreamConfig.from_message(DetectConfig(format=fleet_format()), defaults)
    assert config == StreamConfig(0, 0.25, min_speech=1_536, stop_silence=5_120, frame_probabilities=False)


def test_what_is_set_is_used_even_where_it_is_zero() -> None:
    message = DetectConfig(
        format=fleet_format(),
        start_offset=99,
        threshold=0,
        stop_silence_ms=32,
        min_speech_ms=0,
        frame_probabilities=True,
    )
    config = StreamConfig.from_message(message, Settings())
    assert config == StreamConfig(99, 0.0, min_speech=0, stop_silence=512, frame_probabilities=True)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (DetectConfig(threshold=1.01), "threshold"),
        (DetectConfig(threshold=-0.01), "threshold"),
        (DetectConfig(threshold=math.nan), "threshold"),
        (DetectConfig(stop_silence_ms=31), "stop_silence_ms"),
        (DetectConfig(stop_silence_ms=10_001), "stop_silence_ms"),
        (DetectConfig(min_speech_ms=1_001), "min_speech_ms"),
        (DetectConfig(start_offset=1 << 63), "start_offset"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(message: DetectConfig, field: str) -> None:
    message.format.CopyFrom(fleet_format())
    with pytest.raises(StageError, match=f"^{field}: expected .*, got ") as refusal:
        StreamConfig.from_message(message, Settings())
    assert refusal.value.field == field


def test_the_format_is_required() -> None:
    with pytest.raises(StageError, match=r"^format\.encoding"):
        StreamConfig.from_message(DetectConfig(), Settings())
