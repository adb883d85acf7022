"""Many people who talk to a Realtime server at once, each in real time, and what became of every question."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from client.bench.conversation import Conversation
from client.bench.questions import Question
from client.bench.script import SessionScript
from client.errors import RealtimeError
from client.events import describe_error
from client.realtime import RealtimeClient
from client.speaking import LEAD_IN_S
from client.turns import Gap, Turn


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the sessions connect and what they ask of the server; None leaves the server's own.

    A server that sends nothing for `stall_s` after a question has failed.
    """

    url: str
    api_key: str | None = None
    language: str | None = None
    voice: str | None = None
    turn_detection: Mapping[str, object] | None = None
    stall_s: float = 30.0


@dataclass(frozen=True, slots=True)
class TurnResult:
    """One question and what became of it; latencies in ms as in `client.turns.Turn`.

    `cut_off`: a reply began while the question was still being asked. `failure` says why there is no reply that was
    heard in full; None where there is.
    """

    session: int
    warm_up: bool
    question: str
    text: str | None
    understood: str = ""
    voice_to_voice_ms: float | None = None
    marks: Mapping[str, float] = field(default_factory=dict)
    draft: str = "none"
    cut_off: bool = False
    gaps: tuple[Gap, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class SessionResult:
    """One session: its turns, how long it was connected, and the blocks of audio it sent, in all and late."""

    turns: tuple[TurnResult, ...]
    connected_s: float
    blocks: int
    late_blocks: int


OnTurn = Callable[[TurnResult], None]


async def run_sessions(
    connection: Connection, plan: Sequence[SessionScript], on_turn: OnTurn = lambda _: None
) -> list[SessionResult]:
    """Runs the sessions side by side. A turn or a connection that fails is a result too."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_Session(connection, number, on_turn).run(script)) for number, script in enumerate(plan)
        ]
    return [task.result() for task in tasks]


class _Session:
    """One session; after a failure it connects again for the questions that are left."""

    def __init__(self, connection: Connection, number: int, on_turn: OnTurn) -> None:
        self._connection = connection
        self._number = number
        self._on_turn = on_turn
        self._turns: list[TurnResult] = []
        self._connected_s = 0.0
        self._blocks = self._late_blocks = 0

    async def run(self, script: SessionScript) -> SessionResult:
        await asyncio.sleep(script.start_s)
        left = deque(script.turns)
        while left:
            await self._converse(left)
        return SessionResult(tuple(self._turns), self._connected_s, self._blocks, self._late_blocks)

    async def _converse(self, left: deque[tuple[float, Question]]) -> None:
        """One connection: takes questions from `left` until none is there or one has failed."""
        clock = asyncio.get_running_loop().time
        started = clock()
        talk: Conversation | None = None
        try:
            async with self._client() as client, Conversation.on(client, self._connection.stall_s) as talk:
                await asyncio.sleep(LEAD_IN_S)
                while left:
                    pause_s, question = left[0]
                    turn = await talk.ask(question, pause_s)
                    self._add(question, turn, talk.began_early, None)
                    left.popleft()
        except RealtimeError as error:
            if not left:
                return  # every question had its reply before the connection was lost
            # What a broken turn leaves on its way would be heard as the next one's, hence a new connection for that.
            _, question = left.popleft()
            so_far = talk.turn_so_far if talk is not None else None
            self._add(question, so_far, talk is not None and talk.began_early, str(error))
        finally:
            self._connected_s += clock() - started
            if talk is not None:
                self._blocks += talk.blocks
                self._late_blocks += talk.late_blocks

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[RealtimeClient]:
        wanted = self._connection
        async with RealtimeClient.connect(wanted.url, api_key=wanted.api_key) as client:
            if wanted.language or wanted.voice or wanted.turn_detection:
                await client.update(language=wanted.language, voice=wanted.voice, turn_detection=wanted.turn_detection)
            yield client

    def _add(self, question: Question, turn: Turn | None, began_early: bool, failure: str | None) -> None:
        result = self._result(question, turn, began_early, failure)
        self._turns.append(result)
        self._on_turn(result)

    def _result(self, question: Question, turn: Turn | None, began_early: bool, failure: str | None) -> TurnResult:
        warm_up = not self._turns
        if turn is None:
            return TurnResult(self._number, warm_up, question.name, question.text, failure=failure)
        return TurnResult(
            session=self._number,
            warm_up=warm_up,
            question=question.name,
            text=question.text,
            understood=turn.understood,
            voice_to_voice_ms=turn.voice_to_voice_ms,
            marks=turn.marks,
            draft=turn.draft,
            cut_off=turn.cut_off or began_early,
            gaps=turn.gaps,
            failure=_with_error(failure, turn) if failure is not None else failure_of(turn),
        )


def failure_of(turn: Turn) -> str | None:
    """Why the turn has no reply that was heard in full, with what the server said of it; None where it has one."""
    return None if turn.problem is None else _with_error(turn.problem, turn)


def _with_error(failure: str, turn: Turn) -> str:
    return f"{failure} ({describe_error(turn.errors[0])})" if turn.errors else failure
