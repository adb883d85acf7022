"""A language model behind any server of OpenAI's chat completions: vLLM, llama.cpp, SGLang, another voxfleet, OpenAI.

Whether answers share a batch or a cache is the server's affair. Its context is not known here: where it says that a
prompt is too long, the request is made again without the older half of the conversation.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from chassis.errors import StageError
from chassis.load import Load
from chassis.metrics import ENGINE_SECONDS
from chassis.upstream import Upstream, UpstreamRefusalError, malformed
from services.llm.chat import Chat, Event, Finished, Message
from services.llm.engines.openai_prefiller import OpenAiPrefiller
from services.llm.engines.openai_replies import CompletionReader, answered_calls
from services.llm.engines.openai_request import Body, for_warming, for_words, to_body
from services.llm.engines.openai_sse import EventStream
from services.llm.engines.prompt import plain, split_turns
from services.llm.settings import Settings

log = logging.getLogger(__name__)

PATH = "/chat/completions"
EVENTS_PER_TOKEN, SPARE_EVENTS = 8, 64
"""Servers send an event a token, of a call's arguments some a character; one that sends more than this knows no end."""
END_S = 0.5
"""A server that leaves its answer open for longer after saying that it is over loses the connection."""
_CONTEXT_EXCEEDED = re.compile(
    r"context[_ ](?:length|size|window|exceeded)|maximum context|max_model_len|prompt is too long|too many tokens",
    re.IGNORECASE,
)


class OpenAiServerEngine:
    """See `services.llm.engines.base.Engine`. `model` is empty before the start where the settings name none."""

    def __init__(self, settings: Settings) -> None:
        self.model = settings.upstream_model
        self._settings = settings
        self._upstream = Upstream(settings, "VOXFLEET_LLM_")
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers = 0

    async def start(self) -> None:
        """Waits for the server. Raises ValueError where the settings name no model and it lists none, StageError where
        it refuses the key."""
        listed = await self._upstream.start()
        if not self.model:
            if not listed:
                raise ValueError("VOXFLEET_LLM_UPSTREAM_MODEL: expected a name, because the server lists no models")
            self.model = listed[0]
        elif listed and self.model not in listed:
            log.warning("the upstream server does not list the model", extra={"model": self.model})

    async def close(self) -> None:
        """See `Engine.close`."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._upstream.close()

    def readiness(self) -> AsyncGenerator[bool]:
        """See `chassis.server.DependentEngine`."""
        return self._upstream.readiness()

    def load(self) -> Load:
        """See `Engine.load`."""
        return Load(self._answers, self._settings.upstream_connections)

    async def open(self, chat: Chat, session_id: str) -> "OpenAiServerSession":
        """See `Engine.open`; the session id is not sent, nor is the length of the prompt known before the answer."""
        return OpenAiServerSession(self, chat)

    @property
    def warms(self) -> bool:
        """Whether prefills are sent on."""
        return self._settings.upstream_prefill

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Runs `work`, which `close` cancels if it still runs then. Whoever wants its error asks the task for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Its reader may have left before it failed.
            task.exception()

    def body(self, chat: Chat, history: Sequence[Message], words: str) -> Body:
        """The request for an answer."""
        settings = self._settings
        return to_body(self.model, chat, history, words, settings.upstream_max_tokens_field, settings.upstream_body)

    async def warm(self, chat: Chat, words: str) -> None:
        """Has the server decode the prompt up to `words`."""
        body = for_warming(self.body(chat, chat.history, words), self._settings.upstream_max_tokens_field)
        started = time.perf_counter()
        async with self._upstream.stream(PATH, body, retries=0) as answer, aclosing(answer.pieces()) as pieces:
            async for _ in pieces:
                pass
        ENGINE_SECONDS.labels("llm", "prefill").observe(time.perf_counter() - started)

    async def complete(self, body: Body, reader: CompletionReader, max_tokens: int) -> AsyncGenerator[Event]:
        """One completion's events. Closing the generator closes the request."""
        started, begun, events_left = time.perf_counter(), False, max_tokens * EVENTS_PER_TOKEN + SPARE_EVENTS
        self._answers += 1
        try:
            async with self._upstream.stream(PATH, body) as answer, aclosing(answer.pieces()) as pieces:
                if answer.content_type != "text/event-stream":
                    raise malformed(f"expected text/event-stream, got {answer.content_type or 'no content type'}")
                async with aclosing(_told(pieces)) as told:
                    async for data in told:
                        events_left -= 1
                        if not events_left:
                            raise malformed(f"expected an answer of at most {max_tokens} tokens, got no end")
                        for event in reader.read(data):
                            if not begun:
                                begun = True
                                ENGINE_SECONDS.labels("llm", "first_token").observe(time.perf_counter() - started)
                            yield event
                        if reader.done:
                            break
                    await _run_out(told)
            for event in reader.end():
                yield event
            yield reader.finish()
            ENGINE_SECONDS.labels("llm", "answer").observe(time.perf_counter() - started)
        finally:
            self._answers -= 1


class OpenAiServerSession:
    """See `services.llm.engines.base.Session`."""

    def __init__(self, engine: OpenAiServerEngine, chat: Chat) -> None:
        self._engine = engine
        self._chat = chat
        self._writing: asyncio.Task[None] | None = None
        self._prefiller = OpenAiPrefiller(lambda words: engine.warm(chat, words), engine.spawn)
        self.prefill("")

    def prefill(self, text: str) -> None:
        """See `Session.prefill`; nothing unless the settings want it."""
        if self._engine.warms:
            self._prefiller.want(plain(text))

    async def prefilled(self) -> None:
        """See `Session.prefilled`."""
        await self._prefiller.settled()

    async def answer(self, text: str) -> AsyncIterator[Event]:
        """See `Session.answer`; also raises StageError as `chassis.upstream` does."""
        self._prefiller.stop()
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._writing = writing = self._engine.spawn(self._write(plain(text), events))
        while (event := await events.get()) is not None:
            yield event
        await asyncio.wait({writing})
        if not writing.cancelled():
            writing.result()

    def close(self) -> None:
        """See `Session.close`."""
        self._prefiller.stop()
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self, words: str, events: "asyncio.Queue[Event | None]") -> None:
        """Puts the answer's events, which `complete` bounds, and None at its end, whatever that is."""
        try:
            async with aclosing(self._answer(words)) as answer:
                async for event in answer:
                    events.put_nowait(event)
        finally:
            events.put_nowait(None)

    async def _answer(self, words: str) -> AsyncGenerator[Event]:
        chat = self._chat
        answered = frozenset() if words or chat.required_tools else answered_calls(chat.history)
        reader = CompletionReader([tool.name for tool in chat.tools], answered)
        spoke, spent = False, 0
        async with aclosing(self._fitting(words, reader, in_words=False)) as events:
            async for event in events:
                if isinstance(event, Finished) and reader.repeated and not spoke:
                    spent = event.output_tokens
                    break
                spoke = True
                yield event
        if not reader.repeated or spoke:
            return
        # Nothing but a call that has been answered: the model has what it asks for, and must say it now.
        async with aclosing(self._fitting(words, CompletionReader(()), in_words=True)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    yield replace(event, output_tokens=spent + event.output_tokens)
                else:
                    yield event

    async def _fitting(self, words: str, reader: CompletionReader, *, in_words: bool) -> AsyncGenerator[Event]:
        """The completion's events, with as much of the history as the server's context takes."""
        chat = self._chat
        turns, dropped = split_turns(chat.history), 0
        # Without words of its own the question is in the last turn.
        droppable = len(turns) if words else max(0, len(turns) - 1)
        while True:
            history = [message for turn in turns[dropped:] for message in turn]
            body = self._engine.body(chat, history, words)
            begun = False
            try:
                completion = self._engine.complete(
                    for_words(body) if in_words else body, reader, chat.max_output_tokens
                )
                async with aclosing(completion) as events:
                    async for event in events:
                        begun = True
                        yield event
            except UpstreamRefusalError as refusal:
                if begun or not _exceeds_context(refusal):
                    raise
                if dropped == droppable:
                    field = "generate.text" if words else "config.instructions"
                    expected = f"a prompt that fits without the history ({refusal.said})"
                    raise StageError.invalid(field, expected, reason="CONTEXT_EXCEEDED") from refusal
            else:
                return
            dropped += (droppable - dropped + 1) // 2
            log.info("history trimmed", extra={"turns_dropped": dropped, "turns_kept": len(turns) - dropped})


def _exceeds_context(refusal: UpstreamRefusalError) -> bool:
    return bool(_CONTEXT_EXCEEDED.search(refusal.kind) or _CONTEXT_EXCEEDED.search(refusal.said))


async def _told(pieces: AsyncIterator[bytes]) -> AsyncGenerator[str]:
    """The data of every event."""
    stream = EventStream()
    async for piece in pieces:
        for data in stream.feed(piece):
            yield data
    for data in stream.finish():
        yield data


async def _run_out(told: AsyncIterator[str]) -> None:
    """Reads the end of an answer that is whole: only then can its connection serve the next."""
    with suppress(TimeoutError, StageError):
        async with asyncio.timeout(END_S):
            async for _ in told:
                pass
