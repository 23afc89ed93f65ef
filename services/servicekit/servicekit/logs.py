"""Write logs as JSON, one object a line, with the ids of what a task is about, at levels that may change meanwhile."""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

log = logging.getLogger(__name__)

#: Seconds for which a message of aiokafka is not repeated, and how many messages are remembered.
SELDOM_S: Final = 10.0
MESSAGES_MAX: Final = 1_000
#: Attributes of every record; all others were passed as `extra`.
_RECORD: Final = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: The ids of the job, the execution and the trace that the running task is about.
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))
#: Loggers of libraries, some of whose tasks begin while a job's is running and go on for others.
_LIBRARIES: Final = ("aiokafka", "asyncio", "faststream", "grpc")


def note_about(**ids: object) -> None:
    """Note what the running task is about, also: each line that it and tasks begun by it write has these ids."""
    _about.set({**_about.get(), **{name: str(value) for name, value in ids.items() if value}})


class JsonFormatter(logging.Formatter):
    """Format a record as JSON, with its `extra` fields beside the message: job_id, code and others."""

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
        if not record.name.startswith(_LIBRARIES):
            line.update(_about.get())
        line.update((key, value) for key, value in vars(record).items() if key not in _RECORD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=True)


class SeldomFilter(logging.Filter):
    """Log each message of aiokafka once in SELDOM_S seconds: while Kafka is away, many come again and again.

    The next one that is logged has the number of those left out (`repeated`).
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a log record is to be logged."""
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


def configure(service: str) -> None:
    """Log to standard error, as JSON with the service's name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    handler.addFilter(SeldomFilter())
    logging.basicConfig(handlers=[handler], force=True)


#: Levels of libraries, unless they are set: from WARNING on.
_QUIET: Final = MappingProxyType({"aiokafka": "WARNING", "faststream": "WARNING"})
_NAMES: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
_LOGGER: Final = re.compile(r"[A-Za-z_][\w.]{0,100}")


def parse_levels(text: str) -> dict[str, str]:
    """Return the level of each logger in a text such as `INFO requests=DEBUG`; the one without a name is of all others.

    Raise ValueError, with what is wrong, if there is no such level.
    """
    levels = {"": "INFO"}
    for part in text.replace(",", " ").split():
        name, _, level = part.rpartition("=")
        if level.upper() not in _NAMES or (name and not _LOGGER.fullmatch(name)):
            example = "write one of DEBUG, INFO, WARNING, ERROR, or of a logger as in `INFO requests=DEBUG`"
            raise ValueError(f"{part[:100]!r} is no level: {example}")
        levels[name] = level.upper()
    return levels


class Levels:
    """The levels of a process: those of its setting, or of a file while there is one, which is looked at again."""

    def __init__(self, text: str, file: Path | None = None) -> None:
        """ValueError: the text of the setting is wrong. A file that is wrong is logged, and changes nothing."""
        self._text = text
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._named = set[str]()
        self._set(parse_levels(text))

    def look(self) -> None:
        """Take over the levels of the file if it has changed."""
        if self._file is None or (seen := _describe(self._file)) == self._seen:
            return
        self._seen = seen
        try:
            text = self._file.read_text() if seen is not None else ""
            levels = parse_levels(text if text.strip() else self._text)
        except (OSError, ValueError) as error:
            log.warning("the levels of logs stay as they are: %s", error, extra={"file": str(self._file)})
            return
        self._set(levels)
        log.info("levels of logs are set", extra={"levels": levels, "file": str(self._file)})

    def _set(self, levels: Mapping[str, str]) -> None:
        known = _QUIET | levels
        for name in self._named - known.keys():
            logging.getLogger(name).setLevel(logging.NOTSET)
        for name, level in known.items():
            logging.getLogger(name or None).setLevel(level)
        self._named = set(known)


def _describe(file: Path) -> tuple[int, int, int] | None:
    """Return what tells whether a file is still the same, also behind the links of Kubernetes; None: there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 - a second's work, each second
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
