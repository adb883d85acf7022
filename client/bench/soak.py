"""Whether a fleet grows: many turns, and what its processes hold after every few of them.

Questions are sent as fast as the server takes them, not in real time: what is measured is memory, not latency.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from client.bench.processes import ProcessSample
from client.bench.questions import Question
from client.bench.servers import Server
from client.bench.sessions import failure_of
from client.bench.statistics import slope
from client.errors import ConnectionLostError, RealtimeError, ReplyTimeoutError, one_error
from client.realtime import RealtimeClient
from client.speaking import blocks
from client.turns import BYTES_PER_SECOND, TurnRecorder

TURNS_PER_SESSION = 10
SAMPLE_EVERY = 20
WARM_UP_TURNS = 40
"""Turns in which a process takes what it will need from then on."""
_SILENCE = bytes(round(1.5 * BYTES_PER_SECOND))
"""Behind a question: more than ends a turn."""
_STALL_S = 60.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the processes held after `turns` turns."""

    turns: int
    processes: Mapping[str, ProcessSample]


@dataclass(frozen=True, slots=True)
class Soak:
    """`samplings` begins before the first turn and ends when every session is closed."""

    samplings: tuple[Sampling, ...]
    failures: tuple[str, ...]

    def growth_bytes(self, process: str) -> float | None:
        """Memory that `process` gained with each turn behind the warm-up (least squares); None where unknown."""
        return slope(
            [
                (each.turns, each.processes[process].rss_bytes)
                for each in self.samplings
                if each.turns >= WARM_UP_TURNS and process in each.processes
            ]
        )


async def measure_soak(
    server: Server,
    questions: Sequence[Question],
    *,
    turns: int,
    sessions: int,
    written: bool = False,
    api_key: str | None = None,
    on_sampling: Callable[[Sampling], None] = lambda _: None,
) -> Soak:
    """Holds `turns` turns in `sessions` sessions side by side, each closed after ten and opened anew.

    `written` questions are sent as text instead of speech; replies are spoken either way.
    Raises RealtimeError where a session cannot be opened.
    """
    run = _Run(server, questions, turns, written, api_key, on_sampling)
    await run.sample()
    with one_error():
        async with asyncio.TaskGroup() as group:
            for _ in range(sessions):
                group.create_task(run.talk())
    await run.sample()
    return Soak(tuple(run.samplings), tuple(run.failures))


class _Run:
    def __init__(
        self,
        server: Server,
        questions: Sequence[Question],
        turns: int,
        written: bool,
        api_key: str | None,
        on_sampling: Callable[[Sampling], None],
    ) -> None:
        self.samplings: list[Sampling] = []
        self.failures: list[str] = []
        self._server = server
        self._left = iter(range(turns))
        self._done = 0
        self._questions: Iterator[Question] = itertools.cycle(questions)
        self._written = written
        self._api_key = api_key
        self._on_sampling = on_sampling

    async def sample(self) -> None:
        sampling = Sampling(self._done, await self._server.sample())
        self.samplings.append(sampling)
        self._on_sampling(sampling)

    async def talk(self) -> None:
        """Sessions one after the other, until no turn is left. A failed turn ends its session."""
        while turns := list(itertools.islice(self._left, TURNS_PER_SESSION)):
            while turns:
                async with RealtimeClient.connect(self._server.url, api_key=self._api_key) as client:
                    whole = True
                    while turns and whole:
                        turns.pop()
                        whole = await self._hold(client)
                        await self._count()

    async def _hold(self, client: RealtimeClient) -> bool:
        """One turn; whether the session can go on."""
        try:
            await self._turn(client)
        except RealtimeError as error:
            self.failures.append(str(error))
            return False
        return True

    async def _count(self) -> None:
        self._done += 1
        if self._done % SAMPLE_EVERY == 0:
            await self.sample()

    async def _turn(self, client: RealtimeClient) -> None:
        question, recorder = next(self._questions), TurnRecorder()
        try:
            async with asyncio.timeout(_STALL_S):
                if self._written:
                    content = [{"type": "input_text", "text": question.text or question.name}]
                    item = {"type": "message", "role": "user", "content": content}
                    await client.send("conversation.item.create", item=item)
                    await client.send("response.create")
                else:
                    for block in blocks(question.pcm + _SILENCE):
                        await client.send_audio(block)
                recorder.question_sent()
                async for event in client:
                    recorder.received(event, asyncio.get_running_loop().time())
                    if recorder.finished:
                        break
        except TimeoutError as error:
            raise ReplyTimeoutError(f"a turn took longer than {_STALL_S:g} s; {recorder.progress}") from error
        if not recorder.finished:
            raise ConnectionLostError(f"the server closed the connection ({client.close_reason})")
        if (problem := failure_of(recorder.turn())) is not None:
            self.failures.append(problem)
