"""A simulated reply: thought in pieces, spoken in pieces, heard in order."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from client.planning.sharing import Job
from services.orchestrator import turn_events as turns

if TYPE_CHECKING:
    from client.planning.session import Session

LEAD_S = 0.1
"""Audio that may be ahead of the listener: a reply has been sent so much before it has been heard."""
GAP_S = 0.02
"""A shorter gap is one block of the client's, which its buffer hides."""


class Reply:
    """One reply of `words` a piece. Pieces are generated one after another, and synthesised one after another.

    A voice that streams gives `first_audio_s` of a piece after `first_s`, and the rest as it makes it; another gives
    each piece whole.
    """

    def __init__(self, session: "Session", turn: int, words: Sequence[int]) -> None:
        self._session = session
        self._turn = turn
        self._words = words
        self._thought = 0
        self._spoken = 0
        self._jobs: dict[str, Job] = {}
        self._released = False
        self._draft = False
        self._ready_s = 0.0  # audio that is there and was not released
        self._plays_until: float | None = None
        self._paused_at: float | None = None
        self._gap = False
        self._ended = False

    @property
    def heard_in_s(self) -> float:
        """Seconds until what was sent has been heard."""
        return 0.0 if self._plays_until is None else max(0.0, self._plays_until - self._session.now)

    def start(self) -> None:
        """The language model is asked."""
        self._think(self._session.prompting.ask(self._session.words()))

    def release(self, *, draft: bool) -> None:
        """It may be heard."""
        self._released, self._draft = True, draft
        if self._ready_s:
            self._play()

    def pause(self) -> None:
        """Sends nothing until `resume`."""
        self._paused_at = self._session.now

    def resume(self) -> None:
        """Goes on."""
        if self._paused_at is not None and self._plays_until is not None:
            self._plays_until += self._session.now - self._paused_at
        self._paused_at = None
        self._expect_end()

    def cancel(self) -> None:
        """Frees the stages."""
        self._ended = True
        for stage, job in self._jobs.items():
            self._session.fleet.stages[stage].cancel(job)
        self._count()

    # -- thought and synthesised ---------------------------------------------------------------------------------------

    def _think(self, tokens_in: float) -> None:
        session = self._session
        llm, words = session.fleet.machine.llm, self._words[self._thought]
        # A request costs its base once; what it has begun it goes on with.
        tokens_out = words * session.talk.tokens_per_word.value
        work = llm.work_s(tokens_in, tokens_out) - (llm.base_s.value if self._thought else 0.0)
        self._jobs["llm"] = session.fleet.stages["llm"].submit(
            session.work(session.fleet.card_time("llm", work)), self._clause
        )

    def _clause(self, job: Job) -> None:
        if not self._thought:
            self._session.delays["llm"] = job.delay
        self._thought += 1
        if self._thought < len(self._words):
            self._think(0.0)
        if self._spoken == self._thought - 1:
            self._synthesise()

    def _synthesise(self) -> None:
        session, tts = self._session, self._session.fleet.tts
        audio_s = self._words[self._spoken] / session.talk.voice_words_per_s.value
        first_s = min(tts.first_audio_s.value, audio_s) or audio_s
        streams = bool(tts.first_audio_s.value)
        work = tts.first_s.value + (0.0 if streams else tts.rtf.value * audio_s)

        def first(job: Job) -> None:
            if not self._spoken:
                session.delays["tts"] = job.delay
            self._sound(first_s, made_s=0.0)
            if audio_s > first_s:
                more = tts.rtf.value * (audio_s - first_s)
                self._make(more, rest, first=False)
            else:
                self._next_piece()

        def rest(job: Job) -> None:
            # It was heard while it was made, so all of it need only be there when its end is due.
            self._sound(audio_s - first_s, made_s=session.now - job.submitted)
            self._next_piece()

        self._make(work, first, first=not self._spoken)

    def _make(self, seconds: float, done: Callable[[Job], None], *, first: bool) -> None:
        session = self._session
        work = session.work(session.fleet.card_time("tts", seconds))
        # As the stage does: what somebody waits for is made before what goes on behind it.
        self._jobs["tts"] = session.fleet.stages["tts"].submit(work, done, urgent=first)

    def _next_piece(self) -> None:
        self._spoken += 1
        if self._spoken < self._thought:
            self._synthesise()
        self._expect_end()

    # -- heard ---------------------------------------------------------------------------------------------------------

    def _sound(self, audio_s: float, made_s: float) -> None:
        """So much more audio is there, which has been coming for `made_s` seconds."""
        now = self._session.now
        if self._plays_until is None:
            if not self._ready_s and not self._spoken:
                self._session.fleet.timeline.after(0.0, lambda: self._session.dispatch(turns.DraftReady(self._turn)))
            self._ready_s += audio_s
            if self._released:
                self._play()
            return
        in_time = self._plays_until + (audio_s if made_s else 0.0)
        if now > in_time + GAP_S and self._paused_at is None:
            self._gap = True
        self._plays_until = max(self._plays_until + audio_s, now if made_s else now + audio_s)

    def _play(self) -> None:
        session = self._session
        send_s = session.fleet.machine.send_s.value
        self._plays_until = session.now + send_s + self._ready_s
        length_s = sum(self._words) / session.talk.voice_words_per_s.value
        session.answered(send_s, length_s, draft=self._draft)
        self._expect_end()

    def _expect_end(self) -> None:
        if self._plays_until is not None and self._spoken == len(self._words) and not self._ended:
            self._session.fleet.timeline.after(self._plays_until - LEAD_S - self._session.now, self._end)

    def _end(self) -> None:
        if self._ended or self._paused_at is not None or self._plays_until is None:
            return
        if self._session.now < self._plays_until - LEAD_S - 1e-6:
            return
        self._ended = True
        self._count()
        self._session.dispatch(turns.ReplyEnded(self._turn))

    def _count(self) -> None:
        log = self._session.log
        if self._plays_until is not None and self._session.now >= log.since:
            log.replies += 1
            log.replies_with_gaps += self._gap
            log.reply_s += sum(self._words) / self._session.talk.voice_words_per_s.value
