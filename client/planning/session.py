"""One simulated session: a person, and the real turn machine between them and the simulated stages."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from chassis.audio import SAMPLE_RATE
from client.planning import person
from client.planning.catalog import Talk
from client.planning.fleet import Fleet
from client.planning.person import Phrase
from client.planning.prompting import Prompting
from client.planning.records import Log, TurnRecord
from client.planning.sharing import Job
from client.planning.voice import Reply
from services.orchestrator import turn_events as turns
from services.orchestrator.endpointing import SemanticEndpointing
from services.orchestrator.turn import Ear, Mouth, TurnMachine
from services.orchestrator.turn_config import TurnConfig

BLOCK_S = 0.02
"""Audio comes in blocks of this length, so silence is counted in steps of it."""
PARTIAL_S = 0.3
DRAFT_LOAD_LIMIT = 0.75
"""The orchestrator's own defaults (`partial_interval_ms`, `draft_load_limit`)."""
PATIENCE_S = 30.0
"""A person who hears nothing for so long speaks again; `voxfleet bench` calls such a turn failed."""


class Session:
    """`begin` it once; it goes on for as long as the timeline is run. `number` is its own among the sessions."""

    def __init__(self, number: int, fleet: Fleet, talk: Talk, log: Log, seed: str, drafts: bool = True) -> None:
        self.fleet, self.talk, self.log = fleet, talk, log
        self.number = number
        self.machine = TurnMachine(TurnConfig(endpointing=SemanticEndpointing(), drafts=drafts))
        self.reply: Reply | None = None
        # A person says the same however long the stages take, so each has dice of their own.
        self._person, self._service = Random(f"{seed}/{number}/person"), Random(f"{seed}/{number}/service")  # noqa: S311
        self._soonest_s = self.machine.config.endpointing.needed_silence_s(0.99, "What time is it in this city now?")
        self._woken_at: float | None = None
        self._ticking = False
        # The person
        self._talking = False
        self._phrases = 0  # begun so far
        self._left = 0  # phrases of the turn that are still to be begun
        self._plan = 0
        self._phrase: Phrase | None = None
        self._said: list[Phrase] = []  # in the utterance that is open
        self._spoken_from = 0.0
        self._awaiting: float | None = None
        self._wants_answer = True
        self._speech_s = 0.0
        # The ear
        self._heard = False  # by the voice detector
        self._judging = False
        self._start_waits: Callable[[], None] | None = None
        self._utterance: int | None = None
        self._flush = 0
        self._look: Job | None = None
        self._partial: Job | None = None
        self._listening = 0  # which stretch of speech partials belong to
        self._plain = False
        self._decided_at = 0.0
        self.prompting = Prompting(number, fleet, talk.tokens_per_word.value, self.work)
        self.delays: dict[str, float] = {}

    @property
    def now(self) -> float:
        """Simulated time, in seconds."""
        return self.fleet.timeline.now

    def begin(self, after_s: float) -> None:
        """Connects and says its first sentence after so many seconds."""
        self.fleet.timeline.after(after_s, self._speak)

    def work(self, seconds: float) -> float:
        """What a job of `seconds` takes this time."""
        return seconds * self._service.lognormvariate(0.0, self.fleet.machine.noise.value)

    # -- the person ----------------------------------------------------------------------------------------------------

    def _speak(self) -> None:
        self._say(person.say(self.talk, self._person))

    def _say(self, phrases: Sequence[Phrase], *, wants_answer: bool = True) -> None:
        self._plan += 1
        self._left = len(phrases)
        self._awaiting = None
        self._wants_answer = wants_answer
        self._speech_s = sum(phrase.length_s for phrase in phrases)
        for phrase in phrases:
            self.fleet.timeline.after(phrase.start_s, partial(self._begin_phrase, phrase))
            self.fleet.timeline.after(phrase.end_s, partial(self._end_phrase, phrase))

    def _begin_phrase(self, phrase: Phrase) -> None:
        self._talking = True
        self._phrases += 1
        self._left -= 1
        self._spoken_from = self.now
        self._phrase = phrase
        if self._utterance is None and not self._heard and not self._judging:
            self._said = [phrase]
        elif self.machine.ear is not Ear.ENDING:
            self._said.append(phrase)
        began = self.now
        self.fleet.timeline.after(self.fleet.machine.vad.start_s.value, lambda: self._hear_start(began))

    def _end_phrase(self, phrase: Phrase) -> None:
        self._talking = False
        number, vad = self._phrases, self.fleet.machine.vad
        if phrase.last and self._wants_answer:
            plan, self._awaiting = self._plan, self.now
            self.fleet.timeline.after(PATIENCE_S, lambda: self._lose_patience(plan))
        self.fleet.timeline.after(vad.sound_end_s.value, lambda: self._look_early(number))
        ended = self.now
        self.fleet.timeline.after(
            vad.hangover_s.value + vad.stop_silence_s.value, lambda: self._judge(number, ended, phrase)
        )

    def _lose_patience(self, plan: int) -> None:
        if plan == self._plan and self._awaiting is not None:
            self.log.failed += self.now >= self.log.since
            self._speak()

    def answered(self, starts_s: float, lasts_s: float, *, draft: bool) -> None:
        """A reply begins to be heard in `starts_s`, and will last for about `lasts_s`."""
        if self._talking or self._left:
            self.log.cut_offs += self.now >= self.log.since
            return
        if self._awaiting is None:
            return
        ended, self._awaiting = self._awaiting, None
        if ended >= self.log.since:
            heard = self.now + starts_s
            self.log.turns.append(
                TurnRecord(
                    ended_at=ended,
                    voice_to_voice_s=heard - ended,
                    after_decision_s=heard - self._decided_at,
                    plain=self._plain,
                    draft=draft,
                    speech_s=self._speech_s,
                    delays=dict(self.delays),
                )
            )
        plan, chance = self._plan, self._person.random()
        at = starts_s + lasts_s * self._person.uniform(0.2, 0.9)
        if chance < self.talk.interrupt_share.value:
            self.fleet.timeline.after(at, lambda: self._break_in(plan, self._speak))
        elif chance < self.talk.interrupt_share.value + self.talk.backchannel_share.value:
            self.fleet.timeline.after(at, lambda: self._break_in(plan, self._listen_aloud))

    def _listen_aloud(self) -> None:
        self._say(person.listen_aloud(self.talk, self._person), wants_answer=False)

    def _break_in(self, plan: int, speak: Callable[[], None]) -> None:
        if plan == self._plan and self.machine.mouth is Mouth.SPEAKING:
            speak()

    def replied(self, ends_s: float) -> None:
        """The reply will have been heard to its end in `ends_s`: the person thinks, and goes on."""
        plan = self._plan
        think_s = self.talk.think_s.draw(self._person)

        def go_on() -> None:
            if plan == self._plan and not self._talking:
                self._speak()

        self.fleet.timeline.after(ends_s + think_s, go_on)

    # -- the ear -------------------------------------------------------------------------------------------------------

    def _hear_start(self, began: float) -> None:
        if self._judging:
            self._start_waits = lambda: self._hear_start(began)
            return
        if self.machine.ear is not Ear.ENDING:
            self._drop_look()
        if self._heard:
            return  # the pause was too short to be one
        self._heard = True
        self.dispatch(turns.SpeechStarted(_samples(began)))

    def _judge(self, number: int, ended: float, phrase: Phrase) -> None:
        if number != self._phrases or self._talking or not self._heard:
            return
        vad = self.fleet.machine.vad
        self._judging = True
        end, decided = ended + vad.hangover_s.value, ended + vad.hangover_s.value + vad.stop_silence_s.value

        def stop(job: Job) -> None:
            self._judging, self._heard = False, False
            self.delays = {"vad": job.delay}
            self.dispatch(turns.SpeechStopped(_samples(end), _samples(decided), phrase.probability))
            if (start := self._start_waits) is not None:
                self._start_waits = None
                start()

        self.fleet.stages["vad"].submit(self.work(vad.judge_s.value), stop)

    def _look_early(self, number: int) -> None:
        if number == self._phrases and not self._talking and self.machine.ear is Ear.SPEECH:
            self._drop_partial()
            self._transcribe()

    def _transcribe(self) -> None:
        speech_s = sum(phrase.length_s for phrase in self._said)
        work = self.fleet.machine.stt.work_s(speech_s, self.words() * self.talk.tokens_per_word.value)
        self._look = self.fleet.stages["stt"].submit(
            self.work(self.fleet.card_time("stt", work)), lambda _: self._text_is_there()
        )

    def _text_is_there(self) -> None:
        look = self._look
        if look is None or look.finished is None or self._utterance is None or not self._flush:
            return
        self._look = None
        self.delays["stt"] = look.delay
        text = " ".join(phrase.text for phrase in self._said)
        needed = self.machine.config.endpointing.needed_silence_s(self._said[-1].probability, text)
        self._plain = needed <= self._soonest_s + 0.001
        may_draft = all(self.fleet.has_room(stage, DRAFT_LOAD_LIMIT) for stage in ("llm", "tts"))
        flush, self._flush = self._flush, 0
        self.dispatch(turns.Transcript(self._utterance, flush, text, "en", "", may_draft))

    def _drop_look(self) -> None:
        if self._look is not None:
            self.fleet.stages["stt"].cancel(self._look)
            self._look = None

    def _drop_partial(self) -> None:
        if self._partial is not None:
            self.fleet.stages["stt"].cancel(self._partial)
            self._partial = None

    def _expect_partial(self, stretch: int) -> None:
        self.fleet.timeline.after(self.fleet.pace.interval_s(PARTIAL_S), lambda: self._take_partial(stretch))

    def _take_partial(self, stretch: int) -> None:
        if stretch != self._listening or self._utterance is None or not self._talking:
            return
        phrase = self._said[-1]
        share = min(1.0, (self.now - self._spoken_from) / phrase.length_s)
        words = sum(each.words for each in self._said[:-1]) + int(share * phrase.words)
        speech_s = sum(each.length_s for each in self._said[:-1]) + share * phrase.length_s
        work = self.fleet.machine.stt.work_s(speech_s, words * self.talk.tokens_per_word.value)

        def understood(job: Job) -> None:
            self._partial = None
            self.fleet.pace.took(self.now - job.submitted)
            if self._utterance is None:
                return
            self.prompting.show(words)
            text = " ".join(" ".join(each.text for each in self._said).split()[:words])
            if text:
                self.dispatch(turns.Hypothesis(self._utterance, text))
            self._expect_partial(stretch)

        self._partial = self.fleet.stages["stt"].submit(
            self.work(self.fleet.card_time("stt", work)), understood, urgent=False
        )

    def _prepare(self) -> None:
        room = self.fleet.has_room("llm", DRAFT_LOAD_LIMIT)
        self.prompting.prepare(allowed=self.machine.mouth is Mouth.SILENT and room)

    def words(self) -> int:
        """How many words the utterance has so far."""
        return sum(phrase.words for phrase in self._said)

    # -- the turn machine ----------------------------------------------------------------------------------------------

    def dispatch(self, event: turns.Event) -> None:
        """Gives an event to the turn machine and does what it says."""
        for action in self.machine.handle(event, self.now):
            self._do(action)
        wake_at = self.machine.wake_at
        if wake_at is not None and wake_at != self._woken_at:
            self._woken_at = wake_at
            self.fleet.timeline.after(wake_at - self.now, lambda: self._wake(wake_at))
        if self.machine.ear is Ear.PAUSE and not self._ticking:
            self._ticking = True
            self.fleet.timeline.after(BLOCK_S, self._tick)

    def _wake(self, at: float) -> None:
        if self.machine.wake_at == at:
            self._woken_at = None
            self.dispatch(turns.Wake())

    def _tick(self) -> None:
        self._ticking = False
        if self.machine.ear is Ear.PAUSE:
            self.dispatch(turns.AudioAdvanced(_samples(self.now)))

    def _do(self, action: turns.Action) -> None:
        counts = self.now >= self.log.since
        match action:
            case turns.OpenUtterance(number):
                self._utterance, self._flush = number, 0
                if not self._said and self._phrase is not None:
                    self._said = [self._phrase]
                self.fleet.pace.speakers += 1
                self._listening += 1
                self._prepare()
                self._expect_partial(self._listening)
            case turns.ContinueUtterance():
                self._flush = 0
                self._listening += 1
                self._prepare()
                self._expect_partial(self._listening)
            case turns.FlushUtterance(_, flush):
                self._flush = flush
                self._drop_partial()
                if self._look is None:
                    self._transcribe()
                else:
                    self.fleet.timeline.after(0.0, self._text_is_there)
            case turns.EndTurn():
                self._decided_at = self.now
            case turns.CloseUtterance():
                self._close_utterance()
            case turns.StartReply(turn):
                self.reply = Reply(self, turn, person.reply(self.talk, self._person))
                self.reply.start()
            case turns.ReleaseReply(_, draft) if self.reply is not None:
                self.reply.release(draft=draft)
            case turns.CancelReply(_, reason):
                self.log.drafts_discarded += counts and reason is turns.CancelReason.DRAFT_DISCARDED
                self.log.interruptions += counts and reason is turns.CancelReason.INTERRUPTED
                if self.reply is not None:
                    self.reply.cancel()
                    self.reply = None
                if reason is turns.CancelReason.INTERRUPTED:
                    self._prepare()
            case turns.PauseReply() if self.reply is not None:
                self.reply.pause()
            case turns.ResumeReply() if self.reply is not None:
                self.reply.resume()
            case turns.FinishReply() if self.reply is not None:
                self.replied(self.reply.heard_in_s)
                self.reply = None
            case turns.SkipDraft():
                self.log.drafts_skipped += counts
            case _:
                pass  # what only the client is told

    def _close_utterance(self) -> None:
        self._utterance, self._flush = None, 0
        self._said = []
        self.fleet.pace.speakers -= 1
        self._drop_look()
        self._drop_partial()
        self.prompting.forget()


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
