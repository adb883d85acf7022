"""One turn of a free conversation as a terminal shows it. Pure: events in, lines of text out."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from client.events import (
    ItemDone,
    PartialTranscript,
    ReplyTranscriptDelta,
    ReplyTranscriptDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    TranscriptionCompleted,
    TranscriptionDelta,
)
from client.terminal.report import error_line, labelled, latency_lines, summary
from client.turns import TurnRecorder

_LABEL_COLUMNS = 10
_INDENT = 2
_CUT = "red strike dim"


class ShownTurn:
    """What the person and the server say in one turn: words that may still change are dim, words cut off are struck."""

    def __init__(self) -> None:
        self.recorder = TurnRecorder()
        self.recorder.question_sent()
        self.spoken_over = False
        """Whether the person spoke while the reply was heard: what comes next is another turn."""
        self.response_ids: set[str] = set()
        self._person: dict[str, tuple[str, str]] = {}
        self._items: set[str] = set()
        self._heard: str | None = None
        self._over = False

    @property
    def answered(self) -> bool:
        """Whether a reply has words."""
        return bool(self.recorder.answer)

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come."""
        return self.recorder.finished or (self.spoken_over and self._over)

    def received(self, event: ServerEvent, now: float) -> None:
        """Takes an event that came at `now` (monotonic seconds)."""
        self.recorder.received(event, now)
        match event:
            case SpeechStarted():
                self._over = False
            case TranscriptionDelta(item_id, delta):
                stable, _ = self._person.get(item_id, ("", ""))
                self._person[item_id] = (stable + delta, "")
            case PartialTranscript(item_id, stable, unstable):
                self._person[item_id] = (stable, unstable)
            case TranscriptionCompleted(item_id, transcript):
                self._person[item_id] = (transcript, "")
            case ResponseCreated(response_id):
                self.response_ids.add(response_id)
                self._items.clear()
                self._heard = None
            case ReplyTranscriptDelta(response_id, _, item_id) | ReplyTranscriptDone(response_id, _, item_id):
                self.response_ids.add(response_id)
                self._items.add(item_id)
            case ItemDone(item) if item.role == "assistant" and item.id in self._items:
                self._heard = item.text
            case ResponseDone():
                self._over = True
            case _:
                pass

    def words(self) -> Text:
        """What the person says."""
        text = Text()
        for stable, unstable in self._person.values():
            if len(text) and (stable or unstable):
                text.append(" ")
            text.append(stable.strip() if not unstable else stable.lstrip()).append(unstable.rstrip(), "dim italic")
        return text if len(text) else Text("…", "dim")

    def reply(self) -> Text:
        """What the server says, the words that were not heard struck through."""
        answer = self.recorder.answer
        heard = answer if self._heard is None or not self._over else self._heard.strip()
        heard_to = len(heard) if answer.startswith(heard) else len(answer)
        return Text().append(answer[:heard_to], "bold").append(answer[heard_to:], _CUT)

    def live(self) -> RenderableType:
        """The words so far."""
        return Padding(self._words(), (0, 0, 0, _INDENT), expand=False)

    def final(self, width: int) -> RenderableType:
        """The words, and what they took, in `width` columns."""
        return Group(*self._final(width))

    def _words(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=_LABEL_COLUMNS, style="dim")
        table.add_column(overflow="fold")
        table.add_row("you", self.words())
        if self.answered:
            table.add_row("voxfleet", self.reply())
        return table

    def _final(self, width: int) -> Iterator[RenderableType]:
        turn = self.recorder.turn()
        yield self.live()
        for error in turn.errors:
            yield error_line(error)
        lines = latency_lines(turn, width)
        if lines:
            yield Text()
            yield from lines
        if turn.status == "cancelled":
            struck = self._heard is not None and self._heard.strip() != turn.answer
            yield labelled("cut off", "the words struck through were not heard" if struck else "all words were heard")
        elif turn.problem is not None:
            yield labelled("not heard", turn.problem, style="red")
        yield labelled("in total", summary(turn))
        yield Text()
