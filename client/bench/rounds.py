"""The benchmark of whole conversations: every number of sessions against every server, round by round."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from client.bench.processes import cpu_spent
from client.bench.questions import Question
from client.bench.script import scripts
from client.bench.servers import Server
from client.bench.sessions import Connection, OnTurn, run_sessions
from client.bench.statistics import Load, Run


@dataclass(frozen=True, slots=True)
class Rounds:
    """How much is measured. `turns` of each session, the warm-ups not counted, are shared out among the rounds."""

    sessions: Sequence[int]
    turns: int
    rounds: int = 1
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Round:
    """One run that is about to begin: `number` of `rounds`, with `turns` of each session behind the warm-up."""

    server: Server
    sessions: int
    number: int
    turns: int


def schedule(servers: Sequence[Server], rounds: Rounds) -> list[Round]:
    """All runs in their order. Servers take turns (A B A B), so that a noisy machine is as noisy to each of them."""
    share, more = divmod(rounds.turns, rounds.rounds)
    return [
        Round(server, sessions, number, share + (number <= more))
        for sessions in rounds.sessions
        for number in range(1, rounds.rounds + 1)
        for server in servers
    ]


async def measure(
    servers: Sequence[Server],
    connection: Connection,
    questions: Sequence[Question],
    rounds: Rounds,
    *,
    on_round: Callable[[Round], None] = lambda _: None,
    on_turn: OnTurn = lambda _: None,
) -> list[Run]:
    """Runs the schedule. In the same round every server is asked the same questions at the same times."""
    runs = []
    for each in schedule(servers, rounds):
        on_round(each)
        plan = scripts(questions, each.sessions, each.turns, f"{rounds.seed}/{each.sessions}/{each.number}")
        before, client_before = await each.server.sample(), time.process_time()
        results = await run_sessions(replace(connection, url=each.server.url), plan, on_turn)
        after, client_after = await each.server.sample(), time.process_time()
        load = Load(
            session_s=sum(result.connected_s for result in results),
            cpu_s=cpu_spent(before, after),
            rss_bytes={name: sample.rss_bytes for name, sample in after.items()},
            client_cpu_s=client_after - client_before,
            blocks=sum(result.blocks for result in results),
            late_blocks=sum(result.late_blocks for result in results),
        )
        turns = tuple(turn for result in results for turn in result.turns)
        runs.append(Run(each.server.name, each.sessions, turns, load))
    return runs
