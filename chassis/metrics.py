"""The fleet's Prometheus metrics, registered once, here. Labels have few values and never name a session."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, start_http_server

# 5 ms to 5 s: the range in which a person tells a fast reply from a slow one.
LATENCY_BUCKETS = tuple(
    ms / 1000 for ms in (5, 10, 20, 40, 60, 80, 100, 150, 200, 300, 400, 500, 650, 800, 1000, 1500, 2000, 3000, 5000)
)

STAGE_LATENCY = Histogram(
    "voxfleet_stage_latency_seconds",
    "Latency of one turn by stage: endpoint (last speech sample to end-of-turn decision), stt (flush to text), llm "
    "(generate to first token), tts (first clause to first audio), voice_to_voice (last speech sample received to "
    "first reply audio sent)",
    ["stage"],
    buckets=LATENCY_BUCKETS,
)
ENGINE_SECONDS = Histogram(
    "voxfleet_engine_seconds",
    "Time one operation of a stage's engine took, waiting for its turn not counted",
    ["stage", "operation"],
    buckets=LATENCY_BUCKETS,
)
STREAMS_ACTIVE = Gauge("voxfleet_streams_active", "Streams being served", ["stage"])
STREAMS = Counter("voxfleet_streams_total", "Streams ended, by gRPC status", ["stage", "code"])
ADMISSION_REFUSED = Counter("voxfleet_admission_refused_total", "Streams or sessions refused at a limit", ["stage"])
QUEUE_DEPTH = Gauge("voxfleet_queue_depth", "Jobs waiting for an engine", ["stage"])
BATCH_SIZE = Histogram(
    "voxfleet_batch_size", "Items an engine took in one batch", ["stage"], buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
FRAMES_DROPPED = Counter("voxfleet_frames_dropped_total", "Audio frames or events dropped", ["stage", "reason"])
SESSIONS_ACTIVE = Gauge("voxfleet_sessions_active", "Sessions connected")
SESSIONS = Counter("voxfleet_sessions_total", "Sessions ended, by outcome", ["outcome"])
TURNS = Counter("voxfleet_turns_total", "Turns ended, by outcome", ["outcome"])
INTERRUPTIONS = Counter("voxfleet_interruptions_total", "Replies stopped because the person spoke")
DRAFTS = Counter(
    "voxfleet_drafts_total",
    "Drafts by outcome: kept, discarded, or skipped, which is not begun because a stage was near its limit",
    ["outcome"],
)
DRAFT_TOKENS_WASTED = Counter(
    "voxfleet_draft_tokens_wasted_total",
    "Tokens that the language model had generated for drafts that were thrown away: its own count where it had "
    "finished, else one for each text delta received, which is one token or, where a character takes several, more",
)
DRAFT_AUDIO_WASTED = Counter(
    "voxfleet_draft_audio_wasted_seconds_total", "Seconds of audio synthesised for drafts that were thrown away"
)
AUTH_REFUSED = Counter("voxfleet_auth_refused_total", "Requests refused for their key or their origin", ["code"])
STAGE_ERRORS = Counter("voxfleet_stage_errors_total", "Errors a stage answered with, by reason", ["stage", "reason"])
RELAY_VOICE_TO_VOICE = Histogram(
    "voxfleet_relay_voice_to_voice_seconds",
    "Relayed sessions: last speech sample received, as the upstream places it, to first reply audio sent, by model",
    ["relay"],
    buckets=LATENCY_BUCKETS,
)
RELAY_TURNS = Counter(
    "voxfleet_relay_turns_total", "Replies of relayed sessions, by model and outcome", ["relay", "outcome"]
)
RELAY_ERRORS = Counter(
    "voxfleet_relay_errors_total",
    "What went wrong with the upstreams of relayed sessions, by model; error_event is an error that the upstream told",
    ["relay", "reason"],
)
RELAY_RECONNECTS = Counter(
    "voxfleet_relay_reconnects_total",
    "Upstreams lost before the first reply and replaced (done) or not (failed), by model",
    ["relay", "outcome"],
)


class MetricsServer:
    """Serves `/metrics` over HTTP from a thread of its own. `port` 0 picks a free one; `port` then says which."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry = REGISTRY) -> None:
        self._server, self._thread = start_http_server(port, host, registry)
        self.port = self._server.server_port

    def close(self) -> None:
        """Stops serving and waits for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
