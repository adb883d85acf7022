"""What happened in a dialogue, from the person's side: events and instants in, a record out. Pure.

The person's loudspeaker plays what it gets without a gap, as far as there is audio, and falls silent when the server
says that the person speaks or that the reply is cancelled. Instants are seconds on any one monotonic clock.
"""

from dataclasses import dataclass, field

from client.events import (
    AudioDelta,
    ErrorEvent,
    ItemRetrieved,
    ReplyTranscriptDelta,
    ReplyTranscriptDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    TranscriptionCompleted,
)
from client.sound.loudspeaker import SimulatedLoudspeaker
from client.turns import BYTES_PER_SECOND


@dataclass(slots=True)
class HeardTurn:
    """A turn of the person's. `history`: its text in the conversation afterwards; None where it is not there."""

    item_id: str
    text: str
    history: str | None = None


@dataclass(slots=True)
class HeardReply:
    """A reply. `status` is empty while it goes on. `history` as in HeardTurn.

    `pcm` is the audio that the person has heard (s16le, 24 kHz, mono), `aloud` what a recogniser understands of it.
    """

    response_id: str
    item_id: str = ""
    text: str = ""
    status: str = ""
    reason: str = ""
    history: str | None = None
    pcm: bytes = b""
    aloud: str = ""
    longest_gap_ms: float = 0.0
    """Longest time for which the loudspeaker had nothing to play in the middle of the reply."""

    @property
    def ended(self) -> bool:
        """Whether the server said that it is over."""
        return bool(self.status)

    @property
    def interrupted(self) -> bool:
        """Whether the person's words ended it."""
        return (self.status, self.reason) == ("cancelled", "turn_detected")

    @property
    def heard_ms(self) -> float:
        """Milliseconds of it that the person has heard."""
        return len(self.pcm) / BYTES_PER_SECOND * 1000


@dataclass(slots=True)
class Record:
    """A dialogue that was played."""

    turns: list[HeardTurn] = field(default_factory=list)
    replies: list[HeardReply] = field(default_factory=list)
    speech_starts: list[str] = field(default_factory=list)
    """Items that speech was announced for; each becomes a turn, one without text where nothing was said."""
    errors: list[str] = field(default_factory=list)
    """The server's error events, and what it sent that it may not send."""

    def __str__(self) -> str:
        turns = [f"person: {turn.text}" for turn in self.turns]
        replies = [
            f"assistant: {reply.text}\n  heard: {reply.aloud}\n  kept: {reply.history}\n"
            f"  {reply.status or 'unfinished'} {reply.reason}, longest gap {reply.longest_gap_ms:.0f} ms"
            for reply in self.replies
        ]
        return "\n".join([*turns, *replies, *self.errors])


class Journal:
    """Keeps the books of one dialogue: `received` every event, `listened` from time to time."""

    def __init__(self) -> None:
        self.record = Record()
        self._replies: dict[str, HeardReply] = {}
        self._loudspeaker = SimulatedLoudspeaker()

    @property
    def item_ids(self) -> list[str]:
        """Items of the conversation that the record tells of."""
        return [each.item_id for each in self._kept]

    @property
    def retrieved(self) -> bool:
        """Whether the history of every item is known."""
        return all(each.history is not None for each in self._kept)

    @property
    def quiet(self) -> bool:
        """Whether no reply goes on and no speech that was announced still waits for its text."""
        known = {turn.item_id for turn in self.record.turns}
        return known.issuperset(self.record.speech_starts) and not self._replying

    @property
    def _replying(self) -> bool:
        return any(not reply.ended for reply in self.record.replies)

    def listened(self, now: float) -> bool:
        """Brings `heard_ms` of the latest reply to what it is at `now`; says whether the loudspeaker plays on."""
        for reply in self.record.replies[-1:]:
            reply.pcm = self._loudspeaker.heard(reply.item_id, now)
        return self._loudspeaker.position(now) is not None

    def received(self, event: ServerEvent, now: float) -> None:
        """An event came in at `now`."""
        match event:
            case SpeechStarted(item_id):
                self.record.speech_starts.append(item_id)
                self._loudspeaker.flush(now)
            case TranscriptionCompleted(item_id, transcript):
                self.record.turns.append(HeardTurn(item_id, transcript))
            case ResponseCreated(response_id):
                if self._replying:
                    self.record.errors.append("a reply began before the one before it had ended")
                self.listened(now)
                self._replies[response_id] = HeardReply(response_id)
                self.record.replies.append(self._replies[response_id])
            case AudioDelta(response_id, pcm, item_id):
                self._play(self._replies[response_id], item_id, pcm, now)
            case ReplyTranscriptDelta(response_id, delta):
                self._replies[response_id].text += delta
            case ReplyTranscriptDone(response_id, transcript):
                self._replies[response_id].text = transcript
            case ResponseDone(response_id, status, reason):
                reply = self._replies[response_id]
                reply.status, reply.reason = status, reason
                if status == "cancelled":
                    self._loudspeaker.flush(now)
            case ErrorEvent(code=code, message=message):
                self.record.errors.append(f"error: {code}: {message}")
            case ItemRetrieved(item_id, text):
                for each in self._kept:
                    if each.item_id == item_id:
                        each.history = text
            case _:
                pass

    def _play(self, reply: HeardReply, item_id: str, pcm: bytes, now: float) -> None:
        if reply.ended:
            self.record.errors.append("audio of a reply came after its end")
        dry_since = self._loudspeaker.silent_since(item_id, now)
        if dry_since is not None and self._loudspeaker.position(now) is None:
            reply.longest_gap_ms = max(reply.longest_gap_ms, (now - dry_since) * 1000)
        reply.item_id = item_id
        self._loudspeaker.push(item_id, pcm, now)

    @property
    def _kept(self) -> list[HeardTurn | HeardReply]:
        """What the conversation holds: not a turn without words, nor a reply that was over before it spoke."""
        turns = [turn for turn in self.record.turns if turn.text]
        return [*turns, *(reply for reply in self.record.replies if reply.item_id)]
