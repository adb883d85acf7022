"""One scripted stage as a process of its own: `python -m tests.bench.stages STAGE PORT DELAYS_JSON`.

It answers what it is asked after fixed times, so that what is left of a turn is the orchestrator's own.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from voxfleet.llm.v1 import llm_pb2_grpc
from voxfleet.stt.v1 import stt_pb2_grpc
from voxfleet.tts.v1 import tts_pb2_grpc
from voxfleet.vad.v1 import vad_pb2_grpc

from tests.support.scripted import Script, ScriptedLlm, ScriptedStt, ScriptedTts, ScriptedVad

REPLY = "It is noon and the sun is high above the old town by the sea."
MS_PER_CHARACTER = 40


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the stages and the silence take, in ms.

    `stop`: silence after which the VAD says that speech has stopped; `silence`: silence that ends a turn; `stt`: flush
    to text; `llm`: question to first token, the others follow at once; `tts`: clause to audio.
    """

    silence: float = 500.0
    stop: float = 200.0
    stt: float = 60.0
    llm: float = 80.0
    tts: float = 40.0

    def expected_ms(self, *, draft_kept: bool) -> float:
        """Last speech sample to first audio where nothing but the stages and the silence took time.

        The text is asked for while the silence is still being counted; a draft is prepared in that time too.
        """
        text = self.stop + self.stt
        reply = self.llm + self.tts
        return max(self.silence, text + reply) if draft_kept else max(self.silence, text) + reply


_SERVICES: Mapping[str, Callable[[grpc.aio.Server, Script], None]] = {
    "vad": lambda server, script: vad_pb2_grpc.add_VoiceActivityServiceServicer_to_server(ScriptedVad(script), server),
    "stt": lambda server, script: stt_pb2_grpc.add_SpeechToTextServiceServicer_to_server(ScriptedStt(script), server),
    "llm": lambda server, script: llm_pb2_grpc.add_LanguageModelServiceServicer_to_server(ScriptedLlm(script), server),
    "tts": lambda server, script: tts_pb2_grpc.add_TextToSpeechServiceServicer_to_server(ScriptedTts(script), server),
}


async def serve(stage: str, port: int, delays: Delays) -> None:
    """Serves one stage until SIGTERM."""
    script = Script(
        replies=[REPLY],
        ms_per_character=MS_PER_CHARACTER,
        text_delay_s=delays.stt / 1000,
        first_token_delay_s=delays.llm / 1000,
        audio_delay_s=delays.tts / 1000,
    )
    server, healthy, stopping = grpc.aio.server(), health.aio.HealthServicer(), asyncio.Event()
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    _SERVICES[stage](server, script)
    server.add_insecure_port(f"127.0.0.1:{port}")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await server.start()
    await stopping.wait()
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), Delays(**json.loads(sys.argv[3]))))
