"""The statements that the jobstore executes in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from jobstore.engine import sql


@contextmanager
def recorded_statements() -> Iterator[list[str]]:
    """Record the SQL of each statement that is executed within, but for those that begin and end transactions."""
    statements: list[str] = []
    bind = sql.bind

    def record(*arguments: object) -> object:
        bound = bind(*arguments)  # type: ignore[arg-type]
        statements.append(bound[0])
        return bound

    with patch.object(sql, "bind", record):
        yield statements
