"""One thread that owns the model and decodes the sessions of all streams together, a frame of each at a time."""

import asyncio
import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from chassis.audio import Float32
from chassis.errors import StageError
from chassis.metrics import BATCH_SIZE, ENGINE_SECONDS, QUEUE_DEPTH
from services.tts.engines.fish.chunking import ChunkPlan, Codes, StreamingDecoder

STAGE = "tts"
PromptT = TypeVar("PromptT")
PromptT_contra = TypeVar("PromptT_contra", contravariant=True)
ModelT = TypeVar("ModelT", bound="Model[Any]")
T = TypeVar("T")


class Model(Protocol[PromptT_contra]):
    """A model with room for `rows` utterances at once. Blocking; only ever called from the runner's thread."""

    rows: int
    frame_samples: int

    def begin(self, row: int, prompt: PromptT_contra) -> Codes | None:
        """Starts an utterance in a free row: its first frame, [codebooks], None where it ends at once."""
        ...

    def step(self, rows: Sequence[int]) -> list[Codes | None]:
        """The next frame of the utterances in these rows, None where one has ended."""
        ...

    def decode(self, codes: Codes) -> Float32:
        """See `chunking.Decode`."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of an utterance, float32 [n]; the last one may be empty."""

    samples: Float32
    last: bool


@dataclass(eq=False, slots=True)
class Utterance(Generic[PromptT]):
    """One text being spoken. `codes` are its frames so far."""

    prompt: PromptT
    max_frames: int
    loop: asyncio.AbstractEventLoop
    decoder: StreamingDecoder
    chunks: "asyncio.Queue[Chunk | BaseException]" = field(default_factory=asyncio.Queue)
    codes: list[Codes] = field(default_factory=list)
    abandoned: bool = False

    def put(self, chunk: Chunk | BaseException) -> None:
        """Hands a chunk or the error that ends the utterance to the reader."""
        self.loop.call_soon_threadsafe(self.chunks.put_nowait, chunk)


class Runner(Generic[PromptT, ModelT]):
    """Speaks up to `model.rows` utterances at once, in batched steps; more wait, by priority, up to `max_pending`.

    One utterance is begun between two steps, so that a crowd of new ones holds the others up only a little. An
    utterance never waits for its reader: it holds at most `max_frames` of audio, and a reader that is slow or waits
    does not keep a row from others. One that is abandoned leaves before the next step.
    """

    def __init__(self, load: "Callable[[], ModelT]", plan: ChunkPlan, max_pending: int) -> None:
        self._load = load
        self._plan = plan
        self._max_pending = max_pending
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, Utterance[PromptT]]] = []
        self._calls: deque[tuple[str, Future[Any], Callable[[Any], Any]]] = deque()
        self._running: dict[int, Utterance[PromptT]] = {}
        self._model: ModelT | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"{STAGE}-model", daemon=True)
        self._thread.start()

    async def start(self, warm: "Callable[[ModelT], None]") -> None:
        """Loads the model and warms it."""
        await self.call("load", self._adopt)
        await self.call("warm", warm)

    def _adopt(self, _: object) -> None:
        self._model = self._load()

    async def call(self, operation: str, call: "Callable[[ModelT], T]") -> T:
        """Runs `call` with the model between two steps; a caller that is cancelled before that takes it back."""
        future: Future[T] = Future()
        with self._changed:
            self._require_open()
            if len(self._calls) >= self._max_pending:
                raise StageError.exhausted("QUEUE_FULL", f"{STAGE} has {self._max_pending} calls waiting")
            self._calls.append((operation, future, call))
            self._changed.notify()
        return await asyncio.wrap_future(future)

    def speak(self, prompt: PromptT, max_frames: int, priority: int) -> "Speaking[PromptT]":
        """An utterance, to be read with `Speaking.audio`. Raises StageError QUEUE_FULL."""
        assert self._model is not None
        decoder = StreamingDecoder(self._timed_decode, self._model.frame_samples, self._plan)
        utterance = Utterance(prompt, max_frames, asyncio.get_running_loop(), decoder)
        with self._changed:
            self._require_open()
            if len(self._waiting) >= self._max_pending:
                raise StageError.exhausted("QUEUE_FULL", f"{STAGE} has {self._max_pending} utterances waiting")
            heapq.heappush(self._waiting, (priority, next(self._numbers), utterance))
            QUEUE_DEPTH.labels(STAGE).set(len(self._waiting))
            self._changed.notify()
        return Speaking(self._abandon, utterance)

    def _abandon(self, utterance: Utterance[PromptT]) -> None:
        # Nobody reads it any more.
        with self._changed:
            utterance.abandoned = True
            kept = [entry for entry in self._waiting if entry[2] is not utterance]
            if len(kept) < len(self._waiting):
                heapq.heapify(kept)
                self._waiting = kept
                QUEUE_DEPTH.labels(STAGE).set(len(kept))

    @property
    def running(self) -> int:
        """Utterances that are being spoken."""
        return len(self._running)

    async def close(self) -> None:
        """Ends the thread after the step that runs now; whoever still waits gets an error. The model is let go."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)
        gone = RuntimeError(f"the {STAGE} model is closed")
        for _, future, _ in self._calls:
            future.cancel()
        for utterance in (*self._running.values(), *(entry[2] for entry in self._waiting)):
            utterance.put(gone)
        self._calls.clear()
        self._waiting.clear()
        self._running.clear()
        self._model = None

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"the {STAGE} model is closed")

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._calls or self._waiting or self._running):
                    self._changed.wait()
                if self._closed:
                    return
                call = self._calls.popleft() if self._calls else None
                self._running = {row: each for row, each in self._running.items() if not each.abandoned}
                begun = self._next()
            if call is not None:
                self._answer(*call)
            if begun is not None:
                self._begin(*begun)
            if self._running:
                self._step()

    def _next(self) -> "tuple[int, Utterance[PromptT]] | None":
        if not self._waiting or self._model is None or len(self._running) >= self._model.rows:
            return None
        # The lowest free row: steps cost by the highest one in use.
        row = next(row for row in range(self._model.rows) if row not in self._running)
        utterance = heapq.heappop(self._waiting)[2]
        QUEUE_DEPTH.labels(STAGE).set(len(self._waiting))
        return row, utterance

    def _answer(self, operation: str, future: "Future[Any]", call: "Callable[[Any], Any]") -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self._timed(operation, lambda: call(self._model)))
        except BaseException as error:  # handed to the waiter, which raises it
            future.set_exception(error)

    def _begin(self, row: int, utterance: Utterance[PromptT]) -> None:
        assert self._model is not None
        model = self._model
        try:
            frame = self._timed("begin", lambda: model.begin(row, utterance.prompt))
        except BaseException as error:  # handed to the reader, which raises it
            utterance.put(error)
            return
        self._running[row] = utterance
        self._take(row, utterance, frame)

    def _step(self) -> None:
        assert self._model is not None
        model, rows = self._model, list(self._running)
        BATCH_SIZE.labels(STAGE).observe(len(rows))
        try:
            frames = self._timed("step", lambda: model.step(rows))
        except BaseException as error:  # handed to every reader, which raises it
            for utterance in self._running.values():
                utterance.put(error)
            self._running.clear()
            return
        for row, frame in zip(rows, frames, strict=True):
            self._take(row, self._running[row], frame)

    def _take(self, row: int, utterance: Utterance[PromptT], frame: Codes | None) -> None:
        try:
            if frame is not None:
                utterance.codes.append(frame)
                chunk = utterance.decoder.push(frame)
                if len(chunk):
                    utterance.put(Chunk(chunk, last=False))
            if frame is None or len(utterance.codes) >= utterance.max_frames:
                del self._running[row]
                utterance.put(Chunk(utterance.decoder.flush(), last=True))
        except BaseException as error:  # handed to the reader, which raises it
            self._running.pop(row, None)
            utterance.put(error)

    def _timed_decode(self, codes: Codes) -> Float32:
        assert self._model is not None
        model = self._model
        return self._timed("decode", lambda: model.decode(codes))

    def _timed(self, operation: str, call: "Callable[[], T]") -> T:
        started = time.perf_counter()
        result = call()
        ENGINE_SECONDS.labels(STAGE, operation).observe(time.perf_counter() - started)
        return result


class Speaking(Generic[PromptT]):
    """An utterance as its reader sees it. Read `audio` once, to its end or not."""

    def __init__(self, abandon: "Callable[[Utterance[PromptT]], None]", utterance: Utterance[PromptT]) -> None:
        self._abandon = abandon
        self._utterance = utterance

    @property
    def codes(self) -> Sequence[Codes]:
        """Its frames; all of them once `audio` has ended."""
        return self._utterance.codes

    async def audio(self) -> AsyncGenerator[Chunk]:
        """Its chunks, as soon as each exists. Closing the generator abandons the utterance."""
        try:
            while True:
                chunk = await self._utterance.chunks.get()
                if isinstance(chunk, BaseException):
                    raise chunk
                yield chunk
                if chunk.last:
                    return
        finally:
            self._abandon(self._utterance)
