import asyncio
import struct
import wave
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from chassis.audio import Float32, pcm_to_float
from chassis.errors import StageError
from chassis.server import StageServer
from client.sound.speech import SpeechError, guess_language, read_wav, synthesise, write_wav
from client.turns import audible_span
from services.tts.settings import Settings
from services.tts.stage import build
from tests.support.audio import tone
from tests.support.tts import ScriptedTts, serving_tts, speech


def sine(rate: int, seconds: float = 0.5) -> Float32:
    samples: Float32 = (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)
    return samples


def encode(samples: Float32, width: int) -> bytes:
    """Integer PCM as WAV has it, written with struct: one number a sample."""
    top = 2 ** (8 * width - 1) - 1
    numbers = [round(float(sample) * top) for sample in samples]
    if width == 1:
        return struct.pack(f"{len(numbers)}B", *(number + 128 for number in numbers))
    if width == 3:
        return b"".join(struct.pack("<i", number)[:3] for number in numbers)
    return struct.pack(f"<{len(numbers)}{'h' if width == 2 else 'i'}", *numbers)


def save(path: Path, data: bytes, *, width: int, channels: int, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100])
def test_any_width_and_rate_is_the_same_sound(tmp_path: Path, width: int, rate: int) -> None:
    path = save(tmp_path / "a.wav", encode(sine(rate), width), width=width, channels=1, rate=rate)
    got, expected = pcm_to_float(read_wav(path)), sine(24_000)
    assert len(got) == pytest.approx(len(expected), abs=2)
    middle = slice(1_000, 11_000)  # away from the filter's edges
    tolerance = 0.02 if width == 1 else 0.002
    assert np.abs(got[middle] - expected[middle]).max() < tolerance


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = encode(sine(24_000), 2)
    stereo = np.stack([np.frombuffer(left, "<i2"), np.zeros(12_000, np.int16)], axis=1).tobytes()
    got = pcm_to_float(read_wav(save(tmp_path / "a.wav", stereo, width=2, channels=2, rate=24_000)))
    assert np.abs(got - sine(24_000) / 2).max() < 0.001


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "reply.wav"
    write_wav(path, tone(0.3))
    assert read_wav(path) == tone(0.3)


def test_a_file_cut_off_in_a_sample_keeps_its_whole_samples(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", tone(0.1), width=2, channels=1, rate=24_000)
    path.write_bytes(path.read_bytes()[:-1])
    assert read_wav(path) == tone(0.1)[:-2]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "expected a WAV file with integer PCM"),
        (b"ID3 is no wave, whatever its name is", "expected a WAV file with integer PCM"),
        # A header of format 3, which is float.
        (
            b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x03\0\x01\0\xc0\x5d\0\0\0\x77\x01\0\x04\0\x20\0data\x04\0\0\0\0\0\0\0",
            "unknown format: 3.*ffmpeg",
        ),
        (
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0\x02\0\x10\0data\0\0\0\0",
            "no audio in it",
        ),
    ],
)
def test_a_file_of_another_kind_is_a_clear_error(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(SpeechError, match=rf"a\.wav: .*{complaint}"):
        read_wav(path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"none\.wav: No such file"):
        read_wav(tmp_path / "none.wav")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France?", "en"),
        ("今天天气怎么样？", "zh"),
        ("日本の首都はどこですか", "ja"),
        ("コーヒー", "ja"),
        ("", "en"),
        ("¿Qué tal? 42 – …", "en"),
    ],
)
def test_the_language_is_guessed_by_script(text: str, language: str) -> None:
    assert guess_language(text) == language


async def test_speech_of_the_stage_comes_at_the_clients_rate() -> None:
    servicer = ScriptedTts(speech(tone(0.5, rate=16_000), 16_000))
    async with serving_tts(servicer) as target:
        pcm = await synthesise("今天天气怎么样？", target=target)
    config, text = servicer.requests
    assert (config.config.language, config.config.voice) == ("zh", "")
    assert text.text == "今天天气怎么样？"
    got, expected = pcm_to_float(pcm), pcm_to_float(tone(0.5))
    assert len(got) == pytest.approx(len(expected), abs=2)
    assert np.abs(got[1_000:11_000] - expected[1_000:11_000]).max() < 0.002


async def test_the_real_stage_speaks_a_question() -> None:
    settings = Settings(port=0, metrics_port=0, engine="hibari")
    await asyncio.to_thread(import_module, "services.tts.engines.hibari")
    server = StageServer(await build(settings), settings)
    try:
        await server.start()
        pcm = await synthesise("What is the capital of France?", target=f"127.0.0.1:{server.port}")
    finally:
        await server.stop(0)
    span = audible_span(pcm)
    assert span is not None
    assert 24_000 < span[1] - span[0] < 3 * 24_000


async def test_voice_and_language_are_passed_on() -> None:
    servicer = ScriptedTts(speech(tone(0.1), 24_000))
    async with serving_tts(servicer) as target:
        assert await synthesise("Hola", language="es", voice="ef_dora", target=target) == tone(0.1)
    assert (servicer.requests[0].config.language, servicer.requests[0].config.voice) == ("es", "ef_dora")


@pytest.mark.parametrize(
    ("servicer", "complaint"),
    [
        (
            ScriptedTts(error=StageError.invalid("voice", "one of a, b")),
            "^text-to-speech: voice: expected one of a, b$",
        ),
        (ScriptedTts(speech(b"", 24_000)), "made no audio of the text"),
        (ScriptedTts(speech(tone(0.1), 24_000)[1:]), "expected the format before anything else"),
        (ScriptedTts(speech(tone(0.1), 0)), "expected PCM s16le mono and its sample rate"),
    ],
)
async def test_a_stage_that_does_not_speak_is_a_clear_error(servicer: ScriptedTts, complaint: str) -> None:
    async with serving_tts(servicer) as target:
        with pytest.raises(SpeechError, match=complaint):
            await synthesise("Hello", target=target)


async def test_a_stage_that_is_down_is_said_so() -> None:
    with pytest.raises(SpeechError, match=r"at 127\.0\.0\.1:9 does not answer; is the fleet up\? make run"):
        await synthesise("Hello", target="127.0.0.1:9")


@pytest.mark.parametrize(
    ("text", "complaint"), [(" \n", "text is empty"), ("a" * 2001, "2001 characters.*at most 2000")]
)
async def test_text_that_cannot_be_a_question_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(SpeechError, match=complaint):
        await synthesise(text)
