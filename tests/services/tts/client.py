"""A client of the text-to-speech server."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import grpc.aio
import numpy as np
from voxfleet.audio.v1.audio_pb2 import AudioFormat
from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc

from chassis.audio import Float32, pcm_to_float


@dataclass(frozen=True, slots=True)
class Spoken:
    """All that one stream answered."""

    format: AudioFormat
    audio: Sequence[tts_pb2.Audio]

    @property
    def samples(self) -> Float32:
        """Float32 [n]."""
        return pcm_to_float(b"".join(chunk.pcm for chunk in self.audio))

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return len(self.samples) / self.format.sample_rate_hz

    def covers(self, text: str) -> bool:
        """Whether the chunks speak all of `text` in order without gap."""
        joined = all(before.text_end == after.text_start for before, after in pairwise(self.audio))
        return joined and self.audio[0].text_start == 0 and self.audio[-1].text_end == len(text)

    def end_of(self, offset: int) -> float:
        """Seconds after which the text is spoken up to `offset`."""
        lengths = np.cumsum([len(chunk.pcm) / 2 for chunk in self.audio])
        at = next(at for chunk, at in zip(self.audio, lengths, strict=True) if chunk.text_end >= offset)
        return float(at) / self.format.sample_rate_hz


def config(**fields: object) -> tts_pb2.SynthesizeRequest:
    return tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(**fields))  # type: ignore[arg-type]


def text(piece: str) -> tts_pb2.SynthesizeRequest:
    return tts_pb2.SynthesizeRequest(text=piece)


def stub(channel: grpc.aio.Channel) -> "tts_pb2_grpc.TextToSpeechServiceAsyncStub":
    typed: tts_pb2_grpc.TextToSpeechServiceAsyncStub = tts_pb2_grpc.TextToSpeechServiceStub(channel)
    return typed


Call: TypeAlias = "grpc.aio.StreamStreamCall[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]"


async def begin(channel: grpc.aio.Channel, *requests: tts_pb2.SynthesizeRequest) -> Call:
    """A call that has sent these requests and stays open."""
    call = stub(channel).Synthesize()
    for request in requests:
        await call.write(request)
    return call


async def collect(call: Call, into: list[tts_pb2.SynthesizeResponse]) -> None:
    """Adds what is still to come, until the end or the error."""
    while isinstance(response := await call.read(), tts_pb2.SynthesizeResponse):
        into.append(response)


async def rest(call: Call) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
    """The responses that are still to come."""
    while isinstance(response := await call.read(), tts_pb2.SynthesizeResponse):
        yield response


async def send(channel: grpc.aio.Channel, requests: Iterable[tts_pb2.SynthesizeRequest]) -> Spoken:
    """Sends the requests, half-closes, and reads to the end."""

    async def sent() -> AsyncIterator[tts_pb2.SynthesizeRequest]:
        for request in requests:
            yield request

    responses = [response async for response in stub(channel).Synthesize(sent())]
    formats = [response.format for response in responses if response.HasField("format")]
    assert len(formats) == 1
    assert responses[0].HasField("format")
    return Spoken(formats[0], [response.audio for response in responses[1:]])


async def speak(channel: grpc.aio.Channel, *pieces: str, **fields: object) -> Spoken:
    """Speaks pieces of text."""
    return await send(channel, [config(**fields), *map(text, pieces)])
