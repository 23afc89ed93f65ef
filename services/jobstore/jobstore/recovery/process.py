"""Run a program that writes JSON lines to standard output, of which the last is its result or its error."""

import sys
from collections.abc import Callable, Coroutine, Mapping

import asyncpg
import uvloop
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError

from servicekit.errors import ServiceError
from servicekit.patches import survive_lost_connections
from servicekit.process.runtime import tune_gc
from signoff.errors import ErrorCode

WriteLine = Callable[[Mapping[str, object]], None]


def write_line(document: Mapping[str, object]) -> None:
    """Write a JSON document to standard output, on one line."""
    sys.stdout.write(to_json(document).decode() + "\n")
    sys.stdout.flush()


def run(main: Callable[[], Coroutine[object, None, Mapping[str, object]]]) -> None:
    """Run `main`, write its result or error, and exit with status 0 if the result says `ok`, else 1."""
    survive_lost_connections()
    tune_gc()
    try:
        result = uvloop.run(main())
    except ServiceError as error:
        result = _make_error(str(error), error.code)
    except (
        asyncpg.PostgresError,
        SQLAlchemyError,
        OSError,
        ValueError,
    ) as error:  # also of an unknown database or user
        result = _make_error(str(error), ErrorCode.DATABASE_UNAVAILABLE)
    write_line(result)
    raise SystemExit(0 if result.get("ok") else 1)


def _make_error(message: str, code: str) -> dict[str, object]:
    return {"ok": False, "error": {"code": code, "message": message}}
