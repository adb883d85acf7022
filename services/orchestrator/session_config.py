"""What one session was told: by the settings first, by its client afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.conversation import Conversation, Item, messages
from services.orchestrator.endpointing import FixedSilence, SemanticEndpointing
from services.orchestrator.noise_reduction import NoiseReduction
from services.orchestrator.reply import Modality, ReplyRequest
from services.orchestrator.settings import Settings
from services.orchestrator.turn_config import TurnConfig

# The VAD judges frames of 32 ms; a shorter silence cannot be told from none.
_MIN_STOP_SILENCE_MS = 32


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """One session's configuration. `language` and `voice` empty: detected, and chosen by language."""

    instructions: str
    voice: str = ""
    speed: float = 1.0
    language: str = ""
    hint: str = ""
    modality: Modality = "audio"
    temperature: float = 0.6
    max_output_tokens: int = 320
    tools: tuple[llm_pb2.Tool, ...] = ()
    tool_choice: llm_pb2.ToolChoice = field(default_factory=llm_pb2.ToolChoice)
    threshold: float | None = None
    stop_silence_ms: int = 200
    noise_reduction: NoiseReduction | None = None
    turn: TurnConfig = field(default_factory=TurnConfig)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The configuration of a session whose client says nothing."""
        return cls(
            instructions=settings.instructions,
            voice=settings.voice,
            language=settings.language,
            temperature=settings.temperature,
            max_output_tokens=settings.max_output_tokens,
            stop_silence_ms=settings.stop_silence_ms,
            turn=TurnConfig(
                endpointing=(
                    SemanticEndpointing(settings.eagerness)
                    if settings.turn_detection == "semantic_vad"
                    else FixedSilence(settings.silence_ms / 1000)
                ),
                drafts=settings.drafts,
                transcript_timeout_s=settings.transcript_timeout_s,
            ),
        )

    @property
    def vad_silence_ms(self) -> int:
        """Silence after which the VAD is to report the end of speech: never more than ends the turn."""
        needed_s = self.turn.endpointing.needed_silence_s(1.0)
        return max(_MIN_STOP_SILENCE_MS, min(self.stop_silence_ms, int(needed_s * 1000)))


@dataclass(frozen=True, slots=True)
class ReplyOverrides:
    """What a client asks for one reply only; None keeps the session's own.

    `input` is what the language model is shown instead of the conversation: items, and ids of items of the
    conversation. `metadata` and `audio_format` are the client's own, told back. A reply that is not `in_conversation`
    neither joins it nor waits for its turn.
    """

    instructions: str | None = None
    voice: str | None = None
    speed: float | None = None
    modality: Modality | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    tools: tuple[llm_pb2.Tool, ...] | None = None
    tool_choice: llm_pb2.ToolChoice | None = None
    input: tuple[Item | str, ...] | None = None
    metadata: Mapping[str, str] | None = None
    audio_format: str | None = None
    in_conversation: bool = True

    def history(self, conversation: Conversation) -> list[llm_pb2.Message]:
        """What the language model is shown. An item that was deleted since it was named says nothing."""
        if self.input is None:
            return conversation.messages()
        shown = []
        for item in self.input:
            if isinstance(item, Item):
                shown.append(item)
            elif item in conversation:
                shown.append(conversation.get(item))
        return messages(shown)

    def request(self, config: SessionConfig, turn: int, text: str, language: str) -> ReplyRequest:
        """The reply to `text`, as `config` and these wishes have it. Input of its own stands for the text, too."""
        return ReplyRequest(
            turn,
            text if self.input is None else "",
            language,
            self.modality or config.modality,
            config.voice if self.voice is None else self.voice,
            config.speed if self.speed is None else self.speed,
            self.metadata,
            self.audio_format,
        )


def chat_config(config: SessionConfig, overrides: ReplyOverrides, history: list[llm_pb2.Message]) -> llm_pb2.ChatConfig:
    """The language model's side of a reply."""
    return llm_pb2.ChatConfig(
        instructions=config.instructions if overrides.instructions is None else overrides.instructions,
        history=history,
        tools=config.tools if overrides.tools is None else overrides.tools,
        tool_choice=config.tool_choice if overrides.tool_choice is None else overrides.tool_choice,
        temperature=config.temperature if overrides.temperature is None else overrides.temperature,
        max_output_tokens=overrides.max_output_tokens or config.max_output_tokens,
    )
