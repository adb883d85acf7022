"""Settings of the orchestrator."""

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import Port, ServerSettings
from services.orchestrator.edge.auth.client_secrets import LONGEST_S, SHORTEST_S
from services.orchestrator.edge.auth.keys import ApiKeys, ApiKeysFile, SigningKey
from services.orchestrator.edge.auth.origins import AllowedOrigins, is_loopback
from services.orchestrator.edge.relay.upstreams import Upstream, Upstreams, UpstreamsFile
from services.orchestrator.edge.webrtc.ice import AnnouncedAddress, IceUrl
from services.orchestrator.endpointing import Eagerness

INSTRUCTIONS = (
    "You are a friendly voice assistant. Your words are spoken aloud, so answer in one or two short, plain sentences. "
    "Always answer in the language of the user. Never use lists, markdown, code or emoji."
)


class Settings(ServerSettings):
    """The orchestrator: one WebSocket is one session; it connects the four stages and keeps nothing else."""

    model_config = SettingsConfigDict(env_prefix="VOXFLEET_ORCHESTRATOR_", extra="ignore", env_ignore_empty=True)

    port: Port = Field(8000, description="HTTP and WebSocket port")
    vad_target: str = Field("127.0.0.1:8001", description="gRPC target of the VAD server")
    stt_target: str = Field("127.0.0.1:8002", description="gRPC target of the STT server")
    llm_target: str = Field("127.0.0.1:8003", description="gRPC target of the LLM server")
    tts_target: str = Field("127.0.0.1:8004", description="gRPC target of the TTS server")
    channels: int = Field(2, ge=1, le=64, description="HTTP/2 connections to each stage, used in turn")

    max_sessions: int = Field(64, ge=1, description="sessions served at once; one more is refused")
    webrtc_connect_timeout_s: float = Field(15.0, gt=0, description="WebRTC: longest a peer may take to connect")
    webrtc_announce_address: AnnouncedAddress = Field(
        "", description="WebRTC: IP address to announce in place of the machine's own, as behind NAT or in a container"
    )
    webrtc_stun_server: IceUrl = Field("", description="WebRTC: STUN server, stun:HOST[:PORT]; empty: none is asked")
    webrtc_turn_server: IceUrl = Field(
        "",
        description="WebRTC: TURN server, turn:HOST[:PORT][?transport=tcp] or turns:HOST[:PORT]; empty: none is used",
    )
    webrtc_turn_username: str = Field("", description="WebRTC: user name at the TURN server")
    webrtc_turn_password: SecretStr = Field(SecretStr(""), description="WebRTC: password at the TURN server")
    max_message_bytes: int = Field(16 << 20, ge=1 << 12, description="largest WebSocket message accepted, in bytes")
    max_requests: int = Field(
        32, ge=1, description="requests and sockets of one stage alone served at once; one more is refused"
    )
    max_upload_bytes: int = Field(
        25 << 20, ge=1 << 12, description="largest HTTP body accepted, in bytes; JSON is 1 MB at most"
    )
    max_file_s: float = Field(
        300.0, gt=0, description="longest audio file transcribed, in seconds; no more than the STT's longest utterance"
    )
    file_timeout_s: float = Field(120.0, gt=0, description="longest the transcription of a file may take")
    session_idle_timeout_s: float = Field(300.0, gt=0, description="seconds a client may send nothing")

    api_keys: ApiKeys = Field("", validate_default=True, description="API keys that clients may use, comma-separated")
    api_keys_file: ApiKeysFile = Field("", validate_default=True, description="file with more API keys, one a line")
    auth: Literal["auto", "on", "off"] = Field(
        "auto",
        validate_default=True,
        description="whether clients need a key: on, off, or auto, which is off only on loopback and without keys",
    )
    secret_key: SigningKey | None = Field(
        None, description="what client secrets are signed with, the same for all replicas; default: from the API keys"
    )
    client_secret_max_ttl_s: int = Field(
        LONGEST_S, ge=SHORTEST_S, le=LONGEST_S, description="longest that a client secret may be valid, in seconds"
    )
    allowed_origins: AllowedOrigins = Field(
        "", validate_default=True, description="origins of pages that may connect beside the server's own; * for any"
    )

    relays: Upstreams = Field(
        "",
        validate_default=True,
        description="models that other Realtime servers answer for, as JSON: "
        '{"MODEL": {"url": "wss://…", "key_file": "…", "model": "…", "headers": {}}}',
    )
    relays_file: UpstreamsFile = Field(
        "", validate_default=True, description="TOML file with more of them, a table for each model"
    )
    relay_timeout_s: float = Field(10.0, gt=0, description="longest that a relay tries to reach its upstream")
    relay_attempts: int = Field(5, ge=1, description="most attempts of it, and most upstreams lost in a session")
    relay_stall_s: float = Field(10.0, gt=0, description="longest that either side of a relay may take nothing")
    relay_replay_bytes: int = Field(
        2 << 20, ge=0, description="events kept to be repeated if an upstream is lost before it has replied, in bytes"
    )

    instructions: str = Field(INSTRUCTIONS, description="what the language model is told when the client says nothing")
    voice: str = Field("", description="voice of the replies; empty: the default of the reply's language")
    language: str = Field("", description="language of the speech, ISO 639-1; empty: detected in every turn")
    temperature: float = Field(0.3, ge=0, le=2, description="sampling temperature of the replies")
    max_output_tokens: int = Field(160, ge=1, le=4096, description="most tokens of a reply")
    turn_detection: Literal["semantic_vad", "server_vad"] = Field(
        "semantic_vad", description="what ends a turn where the client names nothing: semantic_vad or server_vad"
    )
    eagerness: Eagerness = Field(Eagerness.AUTO, description="semantic_vad: low, medium, high or auto")
    silence_ms: int = Field(500, ge=0, le=10_000, description="server_vad: silence that ends a turn")
    stop_silence_ms: int = Field(64, ge=32, le=1_000, description="silence after which the text is asked for")
    drafts: bool = Field(True, description="prepare the reply while the silence is still being counted")
    draft_load_limit: float = Field(
        0.75,
        ge=0,
        le=1,
        description="share of the LLM's or TTS's limit in use from which on nothing is prepared ahead, no draft and no "
        "prefill; 0: never is anything, 1: always",
    )
    partial_interval_ms: int = Field(300, ge=0, description="speech between two partial transcripts; 0: none")
    playout_lead_ms: int = Field(100, ge=20, le=5_000, description="audio that may be ahead of the listener")

    admission_timeout_s: float = Field(3.0, gt=0, description="longest wait for a stage to take a stream")
    transcript_timeout_s: float = Field(15.0, gt=0, description="longest wait for the text of a turn")
    first_token_timeout_s: float = Field(15.0, gt=0, description="longest wait for the language model's first token")
    llm_deadline_s: float = Field(60.0, gt=0, description="longest a reply's text may take")
    first_audio_timeout_s: float = Field(10.0, gt=0, description="longest wait for the first audio of a clause")
    tts_deadline_s: float = Field(300.0, gt=0, description="longest a reply's audio may take, playback included")
    health_timeout_s: float = Field(1.0, gt=0, description="longest wait for a stage's health in /readyz")

    plain_queue_ms: int = Field(
        2_000, ge=200, le=10_000, description="/realtime: most audio that waits for its session; then the oldest goes"
    )
    plain_ping_interval_s: float = Field(
        30.0, gt=0, description="/realtime: seconds between two pings; a client silent from one to the next is gone"
    )

    @field_validator("relays_file")
    @classmethod
    def _is_told_once(cls, more: tuple[Upstream, ...], info: ValidationInfo) -> tuple[Upstream, ...]:
        named = {upstream.name for upstream in info.data.get("relays", ())}
        if twice := sorted(named & {upstream.name for upstream in more}):
            raise ValueError(f"expected other models than in VOXFLEET_ORCHESTRATOR_RELAYS, got {', '.join(twice)}")
        return more

    @field_validator("auth")
    @classmethod
    def _has_keys_where_needed(cls, auth: str, info: ValidationInfo) -> str:
        # A field that is wrong itself is not there, and told of by itself.
        given = info.data
        if auth == "off" or not {"host", "api_keys", "api_keys_file"} <= given.keys():
            return auth
        if given["api_keys"] or given["api_keys_file"] or (auth == "auto" and is_loopback(given["host"])):
            return auth
        reason = f"others can reach the server at {given['host']}" if auth == "auto" else "it is on"
        raise ValueError(
            f"expected API keys, because {reason}: set VOXFLEET_ORCHESTRATOR_API_KEYS or "
            "VOXFLEET_ORCHESTRATOR_API_KEYS_FILE, or VOXFLEET_ORCHESTRATOR_AUTH=off to serve anybody"
        )

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """Every API key that clients may use."""
        return self.api_keys + self.api_keys_file

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """Every model that another server answers for."""
        return self.relays + self.relays_file

    @property
    def listens_locally(self) -> bool:
        """Whether only this machine itself can reach the server."""
        return is_loopback(self.host)

    @property
    def needs_key(self) -> bool:
        """Whether clients need a key."""
        return self.auth == "on" or (self.auth == "auto" and (bool(self.keys) or not self.listens_locally))

    @property
    def shares_secrets(self) -> bool:
        """Whether another replica with the same settings takes this one's client secrets."""
        return self.secret_key is not None or bool(self.keys)
