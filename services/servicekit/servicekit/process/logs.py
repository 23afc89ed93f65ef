"""Log one JSON object a line, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

#: Seconds for which a message of aiokafka is not repeated, and how many messages are remembered.
SELDOM_S: Final = 10.0
MESSAGES_MAX: Final = 1_000
#: Attributes of every record; all others were passed as `extra`.
_RECORD: Final = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Format a record as JSON, with what was passed as `extra` beside the message: job_id, code and their like."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _RECORD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=True)


class SeldomFilter(logging.Filter):
    """Let each message of aiokafka pass once in SELDOM_S: it tells the same many times a second while Kafka is away.

    The next that passes says how many did not (`repeated`).
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        if not record.name.startswith("aiokafka"):
            return True
        key = record.name, str(record.msg)
        passed_at, repeated = self._passed.get(key, (float("-inf"), 0))
        if record.created - passed_at < SELDOM_S:
            self._passed[key] = passed_at, repeated + 1
            return False
        if len(self._passed) >= MESSAGES_MAX:
            self._passed.clear()
        self._passed[key] = record.created, 0
        if repeated:
            record.repeated = repeated
        return True


def configure(service: str, level: str) -> None:
    """Send all logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    handler.addFilter(SeldomFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    logging.getLogger("faststream").setLevel(logging.WARNING)
