"""llama.cpp in this process: all streams' tokens in one batch, each session's prompt kept in a slot of the cache."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chassis.errors import Code, StageError
from chassis.load import Load
from chassis.metrics import BATCH_SIZE, ENGINE_SECONDS, QUEUE_DEPTH
from chassis.weights import open_store
from services.llm.chat import Chat, Event, Finished, FinishReason, TextDelta, ToolCall
from services.llm.engines.completion import Completion, Piece
from services.llm.engines.llama_server import LlamaServer
from services.llm.engines.prefiller import Prefiller
from services.llm.engines.prompt import plain
from services.llm.engines.prompt_builder import FittedPrompt, PromptBuilder
from services.llm.engines.slots import Lease, Priority, SlotPool
from services.llm.engines.tool_calls import MalformedCallError, ParsedCall, ToolCallParser, grammar
from services.llm.settings import Settings

MODEL_FILE = "model.gguf"
OPENING_PIECES = 12
"""Pieces of text, about a token each, that make the first clause of most answers."""


class LlamaCppEngine:
    """See `services.llm.engines.base.Engine`."""

    def __init__(self, settings: Settings) -> None:
        self.model = settings.model
        self.slots = SlotPool(settings.slots, settings.max_waiting)
        self._settings = settings
        self._server: LlamaServer | None = None
        self._completions: set[Completion] = set()
        self._decoding = ThreadPoolExecutor(settings.slots, "llama-completion")
        self._templating = ThreadPoolExecutor(1, "llama-template")

    async def start(self) -> None:
        """Loads the model and decodes the warm instructions into every slot."""
        await asyncio.get_running_loop().run_in_executor(self._templating, self._load)
        settings = self._settings
        chat = Chat(settings.warm_instructions, (), (), frozenset(), settings.temperature, settings.top_p, 1)
        head = (await self.prompts.fit(chat, None)).frame.head
        async with asyncio.TaskGroup() as group:
            for slot in range(settings.slots):
                request = {"prompt": head, "n_predict": 0, "id_slot": slot}
                group.create_task(_run_out(self.complete(request, lambda: None)))

    async def close(self) -> None:
        """Stops what runs and frees the model."""
        for completion in self._completions:
            completion.cancel()
        await asyncio.to_thread(self._decoding.shutdown)
        await asyncio.to_thread(self._templating.shutdown)
        if self._server is not None:
            server, self._server = self._server, None
            await asyncio.to_thread(server.close)

    def load(self) -> Load:
        """See `Engine.load`."""
        return self.slots.load

    async def open(self, chat: Chat, session_id: str) -> "LlamaCppSession":
        """See `Engine.open`."""
        if chat.tools and not self.server.can_call_tools:
            raise StageError.invalid("tools", f"none, because {self.model} cannot call tools")
        prompt = await self.prompts.fit(chat, None)
        return LlamaCppSession(self, chat, prompt, session_id or object())

    @property
    def server(self) -> LlamaServer:
        """The loaded model. Raises StageError NOT_READY (UNAVAILABLE) before that."""
        if self._server is None:
            raise StageError(Code.UNAVAILABLE, "NOT_READY", "the model is not loaded yet")
        return self._server

    @property
    def prompts(self) -> PromptBuilder:
        """Prompts for the loaded model."""
        return PromptBuilder(self.server, self._templating, self._settings.context_tokens)

    def complete(self, request: dict[str, Any], on_end: Callable[[], None]) -> Completion:
        """Starts a completion in a slot that is free; `on_end` is called when it has ended."""

        def ended() -> None:
            self._completions.discard(completion)
            on_end()

        completion = Completion(self.server, self._decoding, request, ended)
        self._completions.add(completion)
        return completion

    def sampling(self, chat: Chat) -> dict[str, Any]:
        """What shapes the answer, as llama.cpp's completion request has it."""
        options: dict[str, Any] = {
            "n_predict": chat.max_output_tokens,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "repeat_penalty": self._settings.repeat_penalty,
        }
        if chat.tools:
            options["grammar"] = grammar(chat.tools, chat.required_tools)
        return options

    def _load(self) -> None:
        # Set here and not by `start`, which may be cancelled meanwhile: `close` then still finds the model.
        self._server = LlamaServer(open_store().ensure(self._settings.model) / MODEL_FILE, self._settings)


class LlamaCppSession:
    """See `services.llm.engines.base.Session`.

    An answer cancels a prefill that runs and does not wait for its end: what was decoded is there already.
    """

    def __init__(self, engine: LlamaCppEngine, chat: Chat, prompt: FittedPrompt, key: Hashable) -> None:
        self._engine = engine
        self._chat = chat
        self._prompt = prompt
        self._key = key
        self._lease: Lease | None = None
        self._completion: Completion | None = None
        self._prefiller = Prefiller(engine.slots, key, engine.complete)
        self._prefiller.want(prompt.frame.head)

    def prefill(self, text: str) -> None:
        """See `Session.prefill`."""
        self._prefiller.want(self._prompt.frame.partial(plain(text)))

    async def prefilled(self) -> None:
        """See `Session.prefilled`."""
        await self._prefiller.settled()

    async def answer(self, text: str) -> AsyncIterator[Event]:
        """See `Session.answer`."""
        started = time.perf_counter()
        self._prefiller.stop()
        prompt = await self._engine.prompts.finish(self._prompt, self._chat, plain(text))
        lease = await self._acquire()
        request = {"prompt": prompt, "id_slot": lease.slot, **self._engine.sampling(self._chat)}
        self._completion = self._engine.complete(request, lease.release)
        BATCH_SIZE.labels("llm").observe(self._engine.slots.busy)
        pieces = self._completion.pieces()
        parser = ToolCallParser([tool.name for tool in self._chat.tools])
        called, count = False, 0
        async for piece in pieces:
            count += 1
            if count == OPENING_PIECES:
                lease.begun()
            if piece.first:
                ENGINE_SECONDS.labels("llm", "first_token").observe(time.perf_counter() - started)
            for event in _read(parser, piece):
                called = called or isinstance(event, ToolCall)
                yield event
            if piece.last:
                lease.end_soon()
                ENGINE_SECONDS.labels("llm", "answer").observe(time.perf_counter() - started)
                yield self._finished(piece, called=called)

    def close(self) -> None:
        """See `Session.close`."""
        self._prefiller.stop()
        if self._completion is not None:
            self._completion.cancel()
        if self._lease is not None:
            if self._completion is not None:
                self._lease.end_soon()
            else:
                self._lease.release()

    async def _acquire(self) -> Lease:
        granted = asyncio.Event()
        slots = self._engine.slots
        self._lease = lease = slots.request(self._key, Priority.ANSWER, granted.set)
        QUEUE_DEPTH.labels("llm").set(slots.waiting)
        if lease.slot is None:
            await granted.wait()
            QUEUE_DEPTH.labels("llm").set(slots.waiting)
        return lease

    def _finished(self, piece: Piece, *, called: bool) -> Finished:
        if piece.truncated:
            reason = FinishReason.LENGTH
        elif called:
            reason = FinishReason.TOOL_CALLS
        elif self._chat.required_tools:
            raise _bad_call("the model called none of the required tools")
        else:
            reason = FinishReason.STOP
        return Finished(reason, piece.input_tokens, piece.cached_tokens, piece.output_tokens)


def _read(parser: ToolCallParser, piece: Piece) -> list[Event]:
    """The events that `piece` completes."""
    try:
        found = parser.feed(piece.text)
        if piece.last:
            found += parser.finish(truncated=piece.truncated)
    except MalformedCallError as error:
        raise _bad_call(str(error)) from error
    return [_to_event(part) for part in found]


def _to_event(part: str | ParsedCall) -> Event:
    if isinstance(part, str):
        return TextDelta(part)
    return ToolCall(f"call_{secrets.token_hex(8)}", part.name, part.arguments_json)


def _bad_call(message: str) -> StageError:
    return StageError(Code.INTERNAL, "TOOL_CALL_MALFORMED", message)


async def _run_out(completion: Completion) -> None:
    async for _ in completion.pieces():
        pass
