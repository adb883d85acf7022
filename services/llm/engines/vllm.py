"""vLLM in this process: continuous batching on a GPU, prompts found in a prefix cache that all sessions share."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec

from chassis.errors import Code, StageError
from chassis.load import Load
from chassis.metrics import BATCH_SIZE, ENGINE_SECONDS, QUEUE_DEPTH
from chassis.registry import UnknownEngineError
from services.llm.chat import Chat, Event, Finished, FinishReason
from services.llm.engines import vllm_request
from services.llm.engines.completion import Piece
from services.llm.engines.prompt import plain
from services.llm.engines.prompt_builder import FittedPrompt, PromptBuilder
from services.llm.engines.replies import ReplyReader, answered_calls
from services.llm.engines.tool_format import WORDS_HEAD, words_grammar
from services.llm.engines.vllm_admission import Admission
from services.llm.engines.vllm_backend import VllmBackend
from services.llm.engines.vllm_generation import Generation
from services.llm.engines.vllm_model import HuggingFaceTemplate, locate, model_name
from services.llm.engines.vllm_request import Request
from services.llm.sampling import sampling_of
from services.llm.settings import Settings

log = logging.getLogger(__name__)


class VllmEngine:
    """See `services.llm.engines.base.Engine`. Any model can call tools: it is told how, and held to it by a grammar."""

    def __init__(self, settings: Settings) -> None:
        """Raises UnknownEngineError where vLLM is not installed."""
        if find_spec("vllm") is None:
            raise UnknownEngineError("VOXFLEET_LLM_ENGINE: vllm is not installed; pip install 'voxfleet[vllm]'")
        self.model = model_name(settings.model)
        self.admission = Admission(settings.vllm_max_num_seqs, settings.max_waiting)
        self.sampling = sampling_of(settings.model)
        self.settings = settings
        self._backend: VllmBackend | None = None
        self._template: HuggingFaceTemplate | None = None
        self._generations: set[Generation] = set()
        self._templating = ThreadPoolExecutor(1, "vllm-template")

    async def start(self) -> None:
        """Loads the model, decodes the warm instructions into the cache and builds the grammars' token table."""
        await asyncio.get_running_loop().run_in_executor(self._templating, self._load)
        settings = self.settings
        chat = Chat(settings.warm_instructions, (), (), frozenset(), settings.temperature, settings.top_p, 1)
        warm = vllm_request.prefill((await self.prompts.fit(chat, None)).frame.head)
        for request in (warm, replace(warm, grammar=words_grammar())):
            async for _ in self.generate(request).pieces():
                pass

    async def close(self) -> None:
        """Stops what runs and ends the model's processes."""
        for generation in tuple(self._generations):
            generation.cancel()
            await generation.ended()
        await asyncio.to_thread(self._templating.shutdown)
        if self._backend is not None:
            backend, self._backend = self._backend, None
            await backend.close()

    def load(self) -> Load:
        """See `Engine.load`."""
        return self.admission.load

    async def open(self, chat: Chat, session_id: str) -> "VllmSession":
        """See `Engine.open`. The cache is found by what a prompt says, so the session's id makes no difference."""
        return VllmSession(self, chat, await self.prompts.fit(chat, None))

    @property
    def backend(self) -> VllmBackend:
        """The loaded model. Raises StageError NOT_READY (UNAVAILABLE) before that."""
        if self._backend is None:
            raise _not_ready()
        return self._backend

    @property
    def prompts(self) -> PromptBuilder:
        """Prompts for the loaded model. Raises as `backend` does."""
        if self._template is None:
            raise _not_ready()
        return PromptBuilder(self._template, self._templating, self.settings.context_tokens)

    @property
    def running(self) -> int:
        """Answers and prefills that run or wait."""
        return len(self._generations)

    def generate(self, request: Request) -> Generation:
        """Starts a generation; vLLM decides when its first step comes, by priority and then by arrival."""
        generation = Generation(self._pieces(request))
        self._generations.add(generation)
        generation.on_end(lambda: self._generations.discard(generation))
        BATCH_SIZE.labels("llm").observe(min(self.running, self.settings.vllm_max_num_seqs))
        return generation

    async def _pieces(self, request: Request) -> AsyncIterator[Piece]:
        template = self._template
        if template is None:
            raise _not_ready()
        loop = asyncio.get_running_loop()
        tokens = await loop.run_in_executor(self._templating, template.tokens, request.prompt)
        async for piece in self.backend.generate(request, tokens):
            yield piece

    def _load(self) -> None:
        # Set here and not by `start`, which may be cancelled meanwhile: `close` then still finds the model.
        model = locate(self.settings.model)
        self._template = HuggingFaceTemplate(model, self.settings.vllm_revision or None)
        self._backend = VllmBackend(self.settings, model)


class VllmSession:
    """See `services.llm.engines.base.Session`.

    A newer prefill, or the answer, aborts one that runs: the blocks that it has filled stay in the cache.
    """

    def __init__(self, engine: VllmEngine, chat: Chat, prompt: FittedPrompt) -> None:
        self._engine = engine
        self._chat = chat
        self._prompt = prompt
        self._answering: Generation | None = None
        self._prefilling: Generation | None = None
        self._prefilled = ""
        self._stopped = False
        self._warm(prompt.frame.head)

    def prefill(self, text: str) -> None:
        """See `Session.prefill`."""
        self._warm(self._prompt.frame.partial(plain(text)))

    async def prefilled(self) -> None:
        """See `Session.prefilled`."""
        generation = None
        while generation is not self._prefilling:
            generation = self._prefilling
            if generation is not None:
                await generation.ended()

    async def answer(self, text: str) -> AsyncIterator[Event]:
        """See `Session.answer`."""
        self._stop_prefills()
        engine, chat, words = self._engine, self._chat, plain(text)
        prompt = await engine.prompts.finish(self._prompt, chat, words)
        answered = frozenset() if words or chat.required_tools else answered_calls(chat.history)
        reader = ReplyReader([tool.name for tool in chat.tools], answered)
        request = vllm_request.answer(prompt, chat, engine.sampling, engine.settings.repeat_penalty)
        spent = 0
        async for event in self._generate(request, reader):
            if isinstance(event, Finished) and event.reason is FinishReason.STOP and reader.repeated:
                spent = event.output_tokens
            else:
                yield event
        if not spent:
            return
        # Nothing but a call that has been answered: the model has what it asks for, and must say it now.
        request = replace(request, prompt=prompt + WORDS_HEAD, grammar=words_grammar())
        async for event in self._generate(request, ReplyReader(())):
            yield replace(event, output_tokens=spent + event.output_tokens) if isinstance(event, Finished) else event

    def close(self) -> None:
        """See `Session.close`."""
        self._stop_prefills()
        if self._answering is not None:
            self._answering.cancel()

    async def _generate(self, request: Request, reader: ReplyReader) -> AsyncIterator[Event]:
        """One generation's events."""
        started = time.perf_counter()
        self._answering = self._admit(request)
        async for piece in self._answering.pieces():
            if piece.first:
                ENGINE_SECONDS.labels("llm", "first_token").observe(time.perf_counter() - started)
            for event in reader.read(piece):
                yield event
            if piece.last:
                ENGINE_SECONDS.labels("llm", "answer").observe(time.perf_counter() - started)
                yield _finished(piece, called=reader.called)

    def _admit(self, request: Request) -> Generation:
        admission = self._engine.admission
        admission.enter()
        QUEUE_DEPTH.labels("llm").set(admission.waiting)

        def leave() -> None:
            admission.leave()
            QUEUE_DEPTH.labels("llm").set(admission.waiting)

        generation = self._engine.generate(request)
        generation.on_end(leave)
        return generation

    def _warm(self, prompt: str) -> None:
        if self._stopped or prompt == self._prefilled:
            return
        if self._prefilling is not None:
            self._prefilling.cancel()
        self._prefilled = prompt
        started = time.perf_counter()
        generation = self._engine.generate(vllm_request.prefill(prompt))

        def ended() -> None:
            if isinstance(generation.error, Exception):
                log.error("prefill failed", exc_info=generation.error)
            elif not generation.cancelled:
                ENGINE_SECONDS.labels("llm", "prefill").observe(time.perf_counter() - started)

        generation.on_end(ended)
        self._prefilling = generation

    def _stop_prefills(self) -> None:
        self._stopped = True
        if self._prefilling is not None:
            self._prefilling.cancel()


def _finished(piece: Piece, *, called: bool) -> Finished:
    reason = FinishReason.TOOL_CALLS if called else FinishReason.STOP
    if piece.truncated:
        reason = FinishReason.LENGTH
    return Finished(reason, piece.input_tokens, piece.cached_tokens, piece.output_tokens)


def _not_ready() -> StageError:
    return StageError(Code.UNAVAILABLE, "NOT_READY", "the model is not loaded yet")
