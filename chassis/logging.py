"""Structured logs on standard error: one record a line, with the session and turn it belongs to.

Records never carry transcripts or audio. Code logs an event's name and its fields: `log.info("drained", extra={...})`.
"""

import json
import logging
import sys
import time
from typing import Literal

from chassis.context import current

LogFormat = Literal["text", "json"]

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


# At the debug level these write the headers and frames that pass: keys, and what people said.
_TALKATIVE = ("uvicorn", "websockets", "aiortc")


class ContextFilter(logging.Filter):
    """Puts the running task's session and turn id on each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = current.get()
        record.session_id = context.session_id
        record.turn_id = context.turn_id
        return True


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD and value != ""}


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time (RFC 3339, UTC), level, logger, message, then the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """The same for a terminal: `12:00:00.000 info  logger: message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        level = record.levelname.lower()
        line = f"{stamp}.{int(record.msecs):03d} {level:<7} {record.name}: {record.getMessage()}{fields}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


def configure(level: str, log_format: LogFormat) -> None:
    """Sends all records of at least `level` (a `logging` level name) to standard error in `log_format`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    handler.addFilter(ContextFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
