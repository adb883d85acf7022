"""Where a question's audio comes from and where a reply's goes: WAV files and the fleet's own text-to-speech stage.

Audio is PCM s16le, 24 kHz, mono everywhere else in the client.
"""

import asyncio
import unicodedata
import wave
from pathlib import Path

import grpc
import grpc.aio
import numpy as np
from voxfleet.audio.v1 import audio_pb2
from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc

from chassis.audio import Float32, float_to_pcm, integers_to_float, pcm_to_float, resample
from chassis.grpc_errors import from_rpc_error
from client.turns import SAMPLE_RATE

TTS_TARGET = "127.0.0.1:8004"
MAX_TEXT_CHARS = 2000
"""What the text-to-speech stage takes in one piece."""
_MAX_PCM_BYTES = 64 << 20


class SpeechError(Exception):
    """A question's audio cannot be had; the text says why and is fit to be shown to a person."""


def guess_language(text: str) -> str:
    """ISO 639-1 code by script: kana is Japanese, Han without kana Chinese, everything else English."""
    names = {unicodedata.name(char, "").split(" ", 1)[0] for char in text}
    if names & {"HIRAGANA", "KATAKANA"}:
        return "ja"
    return "zh" if "CJK" in names else "en"


def read_wav(path: Path | str) -> bytes:
    """A WAV file of integer PCM, any rate, 8 to 32 bits, any number of channels (averaged), as PCM s16le 24 kHz mono.

    Raises SpeechError where there is no such file or it is another kind of file.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise SpeechError(f"{path}: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        hint = f"convert it with: ffmpeg -i {Path(path).name} -c:a pcm_s16le question.wav"
        raise SpeechError(
            f"{path}: expected a WAV file with integer PCM ({error or 'it is cut off'}); {hint}"
        ) from error
    frames = len(data) // (width * channels)
    if not frames or not rate:
        raise SpeechError(f"{path}: there is no audio in it")
    samples = integers_to_float(data[: frames * width * channels], width).reshape(frames, channels)
    mono: Float32 = samples.mean(axis=1, dtype=np.float32)
    return float_to_pcm(resample(mono, rate, SAMPLE_RATE))


def write_wav(path: Path | str, pcm: bytes) -> None:
    """Writes PCM s16le 24 kHz mono, making the folder if need be."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm)


async def synthesise(
    text: str, *, language: str | None = None, voice: str = "", target: str = TTS_TARGET, timeout_s: float = 60.0
) -> bytes:
    """Speaks `text` through the text-to-speech stage at `target` (`host:port`): PCM s16le 24 kHz mono.

    `language` is an ISO 639-1 code (None: guessed from the script), `voice` a name of the stage (empty: the language's
    own). Raises SpeechError.
    """
    if not text.strip():
        raise SpeechError("there is nothing to say: the text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise SpeechError(f"the text has {len(text)} characters, a question has at most {MAX_TEXT_CHARS}")
    config = tts_pb2.SynthesizeConfig(voice=voice, language=language or guess_language(text))
    try:
        async with asyncio.timeout(timeout_s), grpc.aio.insecure_channel(target) as channel:
            rate, pcm = await _collect(channel, config, text)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            raise SpeechError(
                f"the text-to-speech stage at {target} does not answer; is the fleet up? make run"
            ) from error
        raise SpeechError(f"text-to-speech: {from_rpc_error(error, 'tts').message}") from error
    except TimeoutError as error:
        raise SpeechError(f"the text-to-speech stage at {target} was not done within {timeout_s:g} s") from error
    if not pcm:
        raise SpeechError("the text-to-speech stage made no audio of the text")
    samples = await asyncio.to_thread(resample, pcm_to_float(pcm), rate, SAMPLE_RATE)
    return float_to_pcm(samples)


async def _collect(channel: grpc.aio.Channel, config: tts_pb2.SynthesizeConfig, text: str) -> tuple[int, bytes]:
    call = tts_pb2_grpc.TextToSpeechServiceStub(channel).Synthesize()
    try:
        await call.write(tts_pb2.SynthesizeRequest(config=config))
        # The format says that the config is accepted. Text that crosses a refusal would put gRPC's own "internal error"
        # in the place of its reason.
        first = await call.read()
        if not isinstance(first, tts_pb2.SynthesizeResponse) or not first.HasField("format"):
            raise SpeechError("text-to-speech: expected the format before anything else")
        form = first.format
        if form.encoding != audio_pb2.AUDIO_ENCODING_PCM_S16LE or form.channels != 1 or not form.sample_rate_hz:
            raise SpeechError("text-to-speech: expected PCM s16le mono and its sample rate")
        await call.write(tts_pb2.SynthesizeRequest(text=text))
        await call.done_writing()
        pcm = bytearray()
        while isinstance(response := await call.read(), tts_pb2.SynthesizeResponse):
            pcm += response.audio.pcm
            if len(pcm) > _MAX_PCM_BYTES:
                raise SpeechError(f"text-to-speech: more than {_MAX_PCM_BYTES} bytes of audio")
        return form.sample_rate_hz, bytes(pcm)
    finally:
        call.cancel()
