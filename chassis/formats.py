"""What every stage that takes audio in demands of it: PCM s16le, 16000 Hz, mono, whole samples."""

from voxfleet.audio.v1.audio_pb2 import AUDIO_ENCODING_PCM_S16LE, AudioEncoding, AudioFormat

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.errors import StageError

CHANNELS = 1


def fleet_format() -> AudioFormat:
    """The format of audio on its way into the fleet, as a message."""
    return AudioFormat(encoding=AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=SAMPLE_RATE, channels=CHANNELS)


def require_fleet_format(audio_format: AudioFormat) -> None:
    """Raises StageError INVALID_FIELD, naming the field at fault, unless the format is the fleet's own."""
    if audio_format.encoding != AUDIO_ENCODING_PCM_S16LE:
        raise StageError.invalid(
            "format.encoding", f"AUDIO_ENCODING_PCM_S16LE, got {_encoding_name(audio_format.encoding)}"
        )
    if audio_format.sample_rate_hz != SAMPLE_RATE:
        raise StageError.invalid("format.sample_rate_hz", f"{SAMPLE_RATE}, got {audio_format.sample_rate_hz}")
    if audio_format.channels != CHANNELS:
        raise StageError.invalid("format.channels", f"{CHANNELS}, got {audio_format.channels}")


def require_whole_samples(pcm: bytes) -> None:
    """Raises StageError INVALID_FIELD for the field `audio` where `pcm` ends inside a sample."""
    if len(pcm) % BYTES_PER_SAMPLE:
        raise StageError.invalid("audio", f"whole samples of {BYTES_PER_SAMPLE} bytes, got {len(pcm)} bytes")


def _encoding_name(encoding: AudioEncoding.ValueType) -> str:
    # An open enum keeps the number of a value that this build does not know.
    return AudioEncoding.Name(encoding) if encoding in AudioEncoding.values() else str(encoding)
