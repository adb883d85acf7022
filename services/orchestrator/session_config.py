"""What one session was told: by the settings first, by its client afterwards."""

from dataclasses import dataclass, field
from typing import Self

from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.endpointing import FixedSilence
from services.orchestrator.reply import Modality
from services.orchestrator.settings import Settings
from services.orchestrator.turn import TurnConfig

# The VAD reports the end of speech after this much silence; how much more ends the turn is the endpointing's affair.
STOP_SILENCE_MS = 200


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
    stop_silence_ms: int = STOP_SILENCE_MS
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
            stop_silence_ms=min(STOP_SILENCE_MS, max(32, settings.silence_ms)),
            turn=TurnConfig(
                endpointing=FixedSilence(settings.silence_ms / 1000),
                transcript_timeout_s=settings.transcript_timeout_s,
            ),
        )


@dataclass(frozen=True, slots=True)
class ReplyOverrides:
    """What a client asks for one reply only; None keeps the session's own."""

    instructions: str | None = None
    voice: str | None = None
    modality: Modality | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None


def chat_config(config: SessionConfig, overrides: ReplyOverrides, history: list[llm_pb2.Message]) -> llm_pb2.ChatConfig:
    """The language model's side of a reply."""
    return llm_pb2.ChatConfig(
        instructions=config.instructions if overrides.instructions is None else overrides.instructions,
        history=history,
        tools=config.tools,
        tool_choice=config.tool_choice,
        temperature=config.temperature if overrides.temperature is None else overrides.temperature,
        max_output_tokens=overrides.max_output_tokens or config.max_output_tokens,
    )
