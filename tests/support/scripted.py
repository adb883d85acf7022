"""Scripted stages over real gRPC: they do what a test says, when it says. Speech is loud, silence is not."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from voxfleet.audio.v1 import audio_pb2
from voxfleet.llm.v1 import llm_pb2, llm_pb2_grpc
from voxfleet.stt.v1 import stt_pb2, stt_pb2_grpc
from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc
from voxfleet.vad.v1 import vad_pb2, vad_pb2_grpc

from chassis.audio import SAMPLE_RATE
from chassis.errors import StageError
from chassis.grpc_errors import to_status
from chassis.interceptor import ADMITTED_KEY, LOAD_KEY
from services.orchestrator.settings import Settings

FRAME = 320
TTS_RATE = 24_000


def speech(seconds: float, rate: int = SAMPLE_RATE) -> bytes:
    """Something the scripted VAD takes for speech."""
    return np.full(int(seconds * rate), 8_000, "<i2").tobytes()


def silence(seconds: float, rate: int = SAMPLE_RATE) -> bytes:
    """Something it does not."""
    return bytes(2 * int(seconds * rate))


@dataclass(slots=True)
class Script:
    """What the stages do. Texts and replies are taken in turn; the last one stays."""

    texts: list[str] = field(default_factory=lambda: ["what time is it"])
    language: str = "en"
    partials: bool = True
    text_delay_s: float = 0.0
    replies: list[str] = field(default_factory=lambda: ["It is noon. The sun is high."])
    calls: list[llm_pb2.ToolCall] = field(default_factory=list)
    """Functions that every reply calls behind its text, each streamed in three pieces."""
    call_delay_s: float = 0.0
    """Before every piece of a call, and before its end."""
    cut_at_length: bool = False
    """Replies end at their limit of tokens, in the middle of their last call if they have one."""
    first_token_delay_s: float = 0.0
    token_delay_s: float = 0.0
    audio_delay_s: float = 0.0
    ms_per_character: int = 20
    failures: dict[str, StageError] = field(default_factory=dict)
    """Stages that refuse every stream, with the error."""
    loads: dict[str, str] = field(default_factory=dict)
    """What stages say of their load."""
    chats: list[llm_pb2.ChatConfig] = field(default_factory=list)
    """The configs that the language model was given."""
    prefills: list[str] = field(default_factory=list)
    """What it was warmed with."""
    asked: list[str] = field(default_factory=list)
    """The texts it was asked."""
    voices: list[tts_pb2.SynthesizeConfig] = field(default_factory=list)
    streams: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("vad", "stt", "llm", "tts"), 0))
    """Streams that are open now."""

    def next(self, script: list[str]) -> str:
        """The next of a script."""
        return script.pop(0) if len(script) > 1 else script[0]


@asynccontextmanager
async def _stream(script: Script, stage: str, context: Any) -> AsyncIterator[None]:
    if stage in script.failures:
        await context.abort_with_status(to_status(script.failures[stage]))
    load = ((LOAD_KEY, script.loads[stage]),) if stage in script.loads else ()
    await context.send_initial_metadata(((ADMITTED_KEY, stage), *load))
    script.streams[stage] += 1
    try:
        yield
    finally:
        script.streams[stage] -= 1


class ScriptedVad(vad_pb2_grpc.VoiceActivityServiceServicer):
    """Loud frames are speech; the stop comes after the silence that the config names."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def Detect(self, request_iterator: Any, context: Any) -> AsyncIterator[vad_pb2.DetectResponse]:
        async with _stream(self._script, "vad", context):
            config = (await anext(aiter(request_iterator))).config
            offset, rest, speaking, quiet = config.start_offset, b"", False, 0
            async for request in request_iterator:
                rest += request.audio
                while len(rest) >= 2 * FRAME:
                    frame, rest = np.frombuffer(rest[: 2 * FRAME], "<i2"), rest[2 * FRAME :]
                    offset += FRAME
                    loud = bool(np.abs(frame).mean() > 1_000)
                    quiet = 0 if loud else quiet + FRAME
                    if loud and not speaking:
                        speaking = True
                        started = vad_pb2.SpeechStarted(offset=offset - FRAME, decided_offset=offset)
                        yield vad_pb2.DetectResponse(speech_started=started)
                    elif speaking and quiet >= config.stop_silence_ms * SAMPLE_RATE // 1000:
                        speaking = False
                        stopped = vad_pb2.SpeechStopped(
                            offset=offset - quiet, decided_offset=offset, end_of_turn_probability=0.9
                        )
                        yield vad_pb2.DetectResponse(speech_stopped=stopped)


class ScriptedStt(stt_pb2_grpc.SpeechToTextServiceServicer):
    """Hears the next text of the script, whatever is said; its first half as a partial after 200 ms of audio."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def Transcribe(self, request_iterator: Any, context: Any) -> AsyncIterator[stt_pb2.TranscribeResponse]:
        script = self._script
        async with _stream(script, "stt", context):
            config = (await anext(aiter(request_iterator))).config
            if config.format.sample_rate_hz != SAMPLE_RATE:
                await context.abort_with_status(to_status(StageError.invalid("config.format", "PCM at 16 kHz")))
            text, heard, told = script.next(script.texts), 0, False
            async for request in request_iterator:
                heard += len(request.audio) // 2
                if script.partials and not told and text and heard >= SAMPLE_RATE // 2:
                    told = True
                    half = len(text) // 2
                    partial = stt_pb2.Partial(stable=text[:half], unstable=text[half:])
                    yield stt_pb2.TranscribeResponse(partial=partial)
                if request.WhichOneof("request") == "flush":
                    await asyncio.sleep(script.text_delay_s)
                    final = stt_pb2.Final(
                        text=text,
                        language=config.language or script.language,
                        language_probability=1.0,
                        end_offset=config.start_offset + heard,
                        flush_id=request.flush.flush_id,
                    )
                    yield stt_pb2.TranscribeResponse(final=final)


class ScriptedLlm(llm_pb2_grpc.LanguageModelServiceServicer):
    """Answers with the next reply of the script, a word a token."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def Chat(self, request_iterator: Any, context: Any) -> AsyncIterator[llm_pb2.ChatResponse]:
        script = self._script
        async with _stream(script, "llm", context):
            requests = aiter(request_iterator)
            script.chats.append((await anext(requests)).config)
            async for request in requests:
                if request.WhichOneof("request") == "generate":
                    script.asked.append(request.generate.text)
                    break
                script.prefills.append(request.prefill.text)
            else:
                return
            tokens = re.findall(r"\S+\s*|\s+", script.next(script.replies))
            await asyncio.sleep(script.first_token_delay_s)
            for token in tokens:
                yield llm_pb2.ChatResponse(text_delta=llm_pb2.TextDelta(text=token))
                await asyncio.sleep(script.token_delay_s)
            for number, call in enumerate(script.calls, start=1):
                third = -(-len(call.arguments_json) // 3)
                for start in range(0, len(call.arguments_json), third):
                    await asyncio.sleep(script.call_delay_s)
                    piece = call.arguments_json[start : start + third]
                    delta = llm_pb2.ToolCallDelta(call_id=call.id, name=call.name, arguments_delta=piece)
                    yield llm_pb2.ChatResponse(tool_call_delta=delta)
                await asyncio.sleep(script.call_delay_s)
                if number < len(script.calls) or not script.cut_at_length:
                    yield llm_pb2.ChatResponse(tool_call=call)
            usage = llm_pb2.Usage(input_tokens=10, cached_tokens=4, output_tokens=len(tokens))
            reason = llm_pb2.Finished.REASON_LENGTH if script.cut_at_length else llm_pb2.Finished.REASON_STOP
            finished = llm_pb2.Finished(reason=reason, usage=usage)
            yield llm_pb2.ChatResponse(finished=finished)


class ScriptedTts(tts_pb2_grpc.TextToSpeechServiceServicer):
    """Speaks every character for the same time, loudly, a word a chunk."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def Synthesize(self, request_iterator: Any, context: Any) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
        script = self._script
        async with _stream(script, "tts", context):
            requests = aiter(request_iterator)
            script.voices.append((await anext(requests)).config)
            rate = audio_pb2.AudioFormat(
                encoding=audio_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=TTS_RATE, channels=1
            )
            yield tts_pb2.SynthesizeResponse(format=rate)
            position = 0
            async for request in requests:
                await asyncio.sleep(script.audio_delay_s)
                for word in re.findall(r"\S+\s*|\s+", request.text):
                    pcm = speech(len(word) * script.ms_per_character / 1000, TTS_RATE)
                    audio = tts_pb2.Audio(pcm=pcm, text_start=position, text_end=position + len(word))
                    position += len(word)
                    yield tts_pb2.SynthesizeResponse(audio=audio)

    async def ListVoices(self, request: Any, context: Any) -> tts_pb2.ListVoicesResponse:
        voices = [tts_pb2.Voice(name=name, language="en", sample_rate_hz=TTS_RATE) for name in ("anna", "bert")]
        return tts_pb2.ListVoicesResponse(voices=voices)


@asynccontextmanager
async def scripted_fleet(script: Script, **settings: Any) -> AsyncIterator[Settings]:
    """The four scripted stages on free ports; gives the orchestrator's settings for them."""
    servers: dict[str, grpc.aio.Server] = {}
    targets: dict[str, Any] = {}
    for stage in ("vad", "stt", "llm", "tts"):
        server = grpc.aio.server()
        healthy = health.aio.HealthServicer()
        await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
        servers[stage] = server
        targets[f"{stage}_target"] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    vad_pb2_grpc.add_VoiceActivityServiceServicer_to_server(ScriptedVad(script), servers["vad"])
    stt_pb2_grpc.add_SpeechToTextServiceServicer_to_server(ScriptedStt(script), servers["stt"])
    llm_pb2_grpc.add_LanguageModelServiceServicer_to_server(ScriptedLlm(script), servers["llm"])
    tts_pb2_grpc.add_TextToSpeechServiceServicer_to_server(ScriptedTts(script), servers["tts"])
    try:
        for server in servers.values():
            await server.start()
        yield Settings(**targets, **settings)
    finally:
        for server in servers.values():
            await server.stop(0)
