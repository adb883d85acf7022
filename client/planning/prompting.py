"""What the language model was shown of a simulated turn before it is asked."""

from collections.abc import Callable

from client.planning.fleet import Fleet
from client.planning.sharing import Job


class Prompting:
    """One session's prefills: one at a time, the newest words next. `work` gives a job its time.

    An answer, or the end of the utterance, takes a prefill out that is under way; what it has done is then lost.
    """

    def __init__(self, session: int, fleet: Fleet, tokens_per_word: float, work: Callable[[float], float]) -> None:
        self._session = session
        self._fleet = fleet
        self._tokens_per_word = tokens_per_word
        self._work = work
        self._allowed = False
        self._prefill: Job | None = None
        self._shown = self._wanted = self._under_way = 0  # words

    def prepare(self, *, allowed: bool) -> None:
        """From now on it may be shown what is heard, or not."""
        self._allowed = allowed

    def show(self, words: int) -> None:
        """So many words have been understood so far."""
        self._wanted = words
        if self._allowed and self._prefill is None and words > self._shown:
            self._under_way = words
            tokens = (words - self._shown) * self._tokens_per_word + self._cold_tokens()
            seconds = self._fleet.card_time("llm", self._fleet.machine.llm.work_s(tokens, 0))
            self._prefill = self._fleet.stages["llm"].submit(self._work(seconds), self._was_shown, urgent=False)

    def ask(self, words: int) -> float:
        """The answer to so many words is wanted: the tokens that must be read for it."""
        llm = self._fleet.machine.llm
        unread = max(0, words - self._shown) * self._tokens_per_word
        self.forget()
        return llm.template_tokens.value + unread + self._cold_tokens()

    def forget(self) -> None:
        """The words that it was shown are not asked about any more."""
        self._allowed = False
        self._shown = self._wanted = 0
        if self._prefill is not None:
            self._fleet.stages["llm"].cancel(self._prefill)
            self._prefill = None

    def _was_shown(self, _job: Job) -> None:
        self._prefill = None
        self._shown = self._under_way
        self.show(self._wanted)

    def _cold_tokens(self) -> float:
        return 0.0 if self._fleet.is_warm(self._session) else self._fleet.machine.llm.prompt_tokens.value
