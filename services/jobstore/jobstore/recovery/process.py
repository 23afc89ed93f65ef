"""What runs once and says what came of it: JSON lines on standard output, the last one of the result or the error."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import asyncpg
from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError

from servicekit.errors import SignoffError

_DRIVER = "postgresql+asyncpg://"

Tell = Callable[[Mapping[str, Any]], None]


def tell(document: Mapping[str, Any]) -> None:
    """Say something, on one line."""
    sys.stdout.write(to_json(document).decode() + "\n")
    sys.stdout.flush()


def run(main: Callable[[], Coroutine[Any, Any, Mapping[str, Any]]]) -> None:
    """Run `main`, and end with status 0 if its result says `ok`."""
    try:
        result = asyncio.run(main())
    except SignoffError as error:
        result = _error(str(error), error.code)
    except ValidationError as error:
        names = ", ".join(f"SIGNOFF_{'_'.join(map(str, e['loc'])).upper()}" for e in error.errors())
        result = _error(f"not set, or not well: {names}", "bad_settings")
    except (asyncpg.PostgresError, SQLAlchemyError, OSError, ValueError) as error:  # no such database, no such user
        result = _error(str(error), "database_unavailable")
    tell(result)
    raise SystemExit(0 if result.get("ok") else 1)


def database_url(url: str) -> str:
    """The URL of a database for SQLAlchemy, from the usual form of one."""
    scheme, separator, rest = url.partition("://")
    return f"{_DRIVER}{rest}" if separator and scheme in {"postgresql", "postgres"} else url


def _error(message: str, code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}
