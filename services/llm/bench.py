"""`python -m services.llm.bench`: the first token cold and with the prefix warm, and tokens a second.

Cold is a server that sees the prompt when the person has finished; warm is one that was sent what the person said up to
the last three words while they still spoke. Both are measured in the same run, in turn; the figures are medians.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from services.llm.chat import Chat, Finished, Message, Role
from services.llm.engines import create
from services.llm.engines.base import Engine
from services.llm.settings import Settings

INSTRUCTIONS = (
    "You are a friendly voice assistant. Your words are spoken aloud, so answer in one or two short, plain sentences. "
    "Always answer in the language of the user. Never use lists, markdown, code or emoji."
)
HISTORY = (
    Message(Role.USER, "Hello there, I am planning a trip to France in the spring."),
    Message(
        Role.ASSISTANT, "That sounds lovely! Spring is a wonderful time to visit France. What would you like to see?"
    ),
)
QUESTION = "Which three cities should I visit first if I like old bridges, quiet gardens and good food?"
UNHEARD_WORDS = 3
STREAMS = (1, 4)
MODELS = ("qwen2.5-1.5b-q4",)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: time to its first token in milliseconds, and tokens a second after it."""

    first_token_ms: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Row:
    """Medians for one model and one number of streams at once."""

    model: str
    streams: int
    cold_first_token_ms: float
    warm_first_token_ms: float
    tokens_per_second: float
    """Of each stream."""


def _chat(nonce: str, max_output_tokens: int) -> Chat:
    # The nonce comes first, so that nothing of the prompt is in the cache.
    return Chat(f"[{nonce}] {INSTRUCTIONS}", HISTORY, (), frozenset(), 0, 1, max_output_tokens)


async def _answer(engine: Engine, nonce: str, max_output_tokens: int, *, warm: bool) -> Answer:
    session = await engine.open(_chat(nonce, max_output_tokens), nonce)
    if warm:
        session.prefill(QUESTION.rsplit(" ", UNHEARD_WORDS)[0])
        await session.prefilled()
    started = time.perf_counter()
    first, tokens = 0.0, 0
    async for event in session.answer(QUESTION):
        first = first or time.perf_counter()
        if isinstance(event, Finished):
            tokens = event.output_tokens
    session.close()
    return Answer((first - started) * 1000, (tokens - 1) / (time.perf_counter() - first))


async def bench(models: Sequence[str], runs: int, max_output_tokens: int) -> list[Row]:
    """Measures each model alone, after one run that is not counted."""
    rows = []
    for model in models:
        engine = create(Settings(model=model, slots=max(STREAMS)))
        try:
            await engine.start()
            await _answer(engine, "first", max_output_tokens, warm=True)
            answers: dict[tuple[int, bool], list[Answer]] = {}
            for run in range(runs):
                for streams in STREAMS:
                    for warm in (False, True):
                        nonces = [f"{run} {streams} {warm} {stream}" for stream in range(streams)]
                        answers.setdefault((streams, warm), []).extend(
                            await asyncio.gather(
                                *(_answer(engine, nonce, max_output_tokens, warm=warm) for nonce in nonces)
                            )
                        )
        finally:
            await engine.close()
        for streams in STREAMS:
            cold, warmed = answers[streams, False], answers[streams, True]
            rows.append(
                Row(
                    model,
                    streams,
                    median(answer.first_token_ms for answer in cold),
                    median(answer.first_token_ms for answer in warmed),
                    median(answer.tokens_per_second for answer in cold + warmed),
                )
            )
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows for people."""
    lines = [
        f"{'model':<18}{'streams':>8}{'first token cold':>20}{'prefix warm':>16}{'ratio':>8}{'tokens/s a stream':>20}"
    ]
    lines += [
        f"{row.model:<18}{row.streams:>8}{row.cold_first_token_ms:>17.0f} ms{row.warm_first_token_ms:>13.0f} ms"
        f"{row.cold_first_token_ms / row.warm_first_token_ms:>7.1f}×{row.tokens_per_second:>20.1f}"
        for row in rows
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(prog="python -m services.llm.bench", description=__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS, help="names in the weights store")
    parser.add_argument("--runs", type=int, default=5, help="times that everything is measured")
    parser.add_argument("--max-output-tokens", type=int, default=32, help="length of the answers")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(argv)
    rows = asyncio.run(bench(options.models, options.runs, options.max_output_tokens))
    sys.stdout.write((json.dumps([asdict(row) for row in rows], indent=2) if options.json else table(rows)) + "\n")


if __name__ == "__main__":
    main()
