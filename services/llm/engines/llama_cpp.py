"""llama.cpp in this process: all streams' tokens in one batch, each session's prompt kept in a slot of the cache."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from chassis.errors import Code, StageError
from chassis.load import Load
from chassis.metrics import BATCH_SIZE, ENGINE_SECONDS, QUEUE_DEPTH
from chassis.weights import open_store
from services.llm.chat import Chat, Event, Finished, FinishReason
from services.llm.engines.completion import Completion, Piece
from services.llm.engines.llama_server import LlamaServer
from services.llm.engines.prefiller import Prefiller
from services.llm.engines.prompt import plain
from services.llm.engines.prompt_builder import FittedPrompt, PromptBuilder
from services.llm.engines.replies import ReplyReader, answered_calls
from services.llm.engines.slots import Lease, Priority, SlotPool
from services.llm.engines.tool_format import WORDS_HEAD, grammar, words_grammar
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
        return {
            "n_predict": chat.max_output_tokens,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "repeat_penalty": self._settings.repeat_penalty,
        }

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
        self._prefiller.stop()
        chat, words = self._chat, plain(text)
        prompt = await self._engine.prompts.finish(self._prompt, chat, words)
        answered = frozenset() if words or chat.required_tools else answered_calls(chat.history)
        reader = ReplyReader([tool.name for tool in chat.tools], answered)
        request: dict[str, Any] = {"prompt": prompt, **self._engine.sampling(chat)}
        if chat.tools:
            request["grammar"] = grammar(chat.tools, chat.required_tools)
            # What is penalised is what a call must repeat: its form, names, and the person's own words.
            request["repeat_penalty"] = 1
        spent = 0
        async for event in self._generate(request, reader):
            if isinstance(event, Finished) and event.reason is FinishReason.STOP and reader.repeated:
                spent = event.output_tokens
            else:
                yield event
        if not spent:
            return
        # Nothing but a call that has been answered: the model has what it asks for, and must say it now.
        request |= {"prompt": prompt + WORDS_HEAD, "grammar": words_grammar()}
        async for event in self._generate(request, ReplyReader(())):
            yield replace(event, output_tokens=spent + event.output_tokens) if isinstance(event, Finished) else event

    async def _generate(self, request: Mapping[str, Any], reader: ReplyReader) -> AsyncIterator[Event]:
        """One completion's events."""
        started = time.perf_counter()
        lease = await self._acquire()
        self._completion = self._engine.complete({"id_slot": lease.slot, **request}, lease.release)
        BATCH_SIZE.labels("llm").observe(self._engine.slots.busy)
        count = 0
        async for piece in self._completion.pieces():
            count += 1
            if count == OPENING_PIECES:
                lease.begun()
            if piece.first:
                ENGINE_SECONDS.labels("llm", "first_token").observe(time.perf_counter() - started)
            for event in reader.read(piece):
                yield event
            if piece.last:
                lease.end_soon()
                ENGINE_SECONDS.labels("llm", "answer").observe(time.perf_counter() - started)
                yield _finished(piece, called=reader.called)

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
        self._completion = None
        self._lease = lease = slots.request(self._key, Priority.ANSWER, granted.set)
        QUEUE_DEPTH.labels("llm").set(slots.waiting)
        if lease.slot is None:
            await granted.wait()
            QUEUE_DEPTH.labels("llm").set(slots.waiting)
        return lease


def _finished(piece: Piece, *, called: bool) -> Finished:
    reason = FinishReason.TOOL_CALLS if called else FinishReason.STOP
    if piece.truncated:
        reason = FinishReason.LENGTH
    return Finished(reason, piece.input_tokens, piece.cached_tokens, piece.output_tokens)


async def _run_out(completion: Completion) -> None:
    async for _ in completion.pieces():
        pass
