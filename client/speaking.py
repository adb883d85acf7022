"""Speech to a session in real time, as a microphone sends it, and one whole question."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

from client.errors import ConnectionLostError, ReplyTimeoutError, one_error
from client.events import Reconnected, ServerEvent
from client.realtime import RealtimeClient
from client.turns import SAMPLE_RATE, Turn, TurnRecorder

BLOCK_S = 0.02
BLOCK_BYTES = round(BLOCK_S * SAMPLE_RATE) * 2
LEAD_IN_S = 0.3
"""Silence before a question: nobody speaks on the first sample, and a voice detector needs a moment."""
STALL_S = 30.0


def blocks(pcm: bytes) -> Iterator[bytes]:
    """Audio in blocks of 20 ms, the last one filled up with silence."""
    for at in range(0, len(pcm), BLOCK_BYTES):
        yield pcm[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")


async def stream(client: RealtimeClient, audio: Iterable[bytes], recorder: TurnRecorder) -> None:
    """Sends blocks of 20 ms as a microphone would: each when its last sample has been spoken. Late ones catch up."""
    clock = asyncio.get_running_loop().time
    start = clock()
    for number, block in enumerate(audio, 1):
        await asyncio.sleep(start + number * BLOCK_S - clock())
        recorder.sent(block, clock())
        await client.send_audio(block)


async def ask(
    client: RealtimeClient,
    pcm: bytes,
    *,
    on_event: Callable[[ServerEvent, TurnRecorder], None] | None = None,
    lead_in_s: float = LEAD_IN_S,
    stall_s: float = STALL_S,
) -> Turn:
    """Speaks a question (PCM s16le 24 kHz mono) in real time, then stays silent until its reply is complete.

    `on_event` sees each event after it is recorded. Raises ReplyTimeoutError where the server sends nothing for
    `stall_s` after the question, ConnectionLostError where the connection ends before the reply is complete, also where
    it was opened again: then the client can be asked again.
    """
    clock = asyncio.get_running_loop().time
    recorder = TurnRecorder()
    lead_in = bytes(round(lead_in_s * SAMPLE_RATE) * 2)

    async def speak() -> None:
        await stream(client, itertools.chain(blocks(lead_in), blocks(pcm)), recorder)
        recorder.question_sent()
        await stream(client, itertools.repeat(bytes(BLOCK_BYTES)), recorder)

    question_ends = clock() + (len(lead_in) + len(pcm)) / 2 / SAMPLE_RATE
    try:
        with one_error():
            async with asyncio.timeout_at(question_ends + stall_s) as limit, asyncio.TaskGroup() as group:
                speaking = group.create_task(speak())
                async for event in client:
                    now = clock()
                    limit.reschedule(max(now, question_ends) + stall_s)
                    recorder.received(event, now)
                    if on_event is not None:
                        on_event(event, recorder)
                    if isinstance(event, Reconnected):
                        raise ConnectionLostError(f"{event.reason}; it is open again; {recorder.progress}")
                    if recorder.finished:
                        break
                speaking.cancel()
    except TimeoutError as error:
        raise ReplyTimeoutError(f"nothing from the server for {stall_s:g} s; {recorder.progress}") from error
    if not recorder.finished:
        raise ConnectionLostError(f"the server closed the connection ({client.close_reason}); {recorder.progress}")
    return recorder.turn()
