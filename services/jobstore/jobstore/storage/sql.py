"""Build SQL that writes a batch of rows by one statement: `unnest` over one array parameter a column."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Table, TextClause, text
from sqlalchemy.dialects import postgresql

#: Types that are passed as another and cast in the row. `unnest` would flatten arrays of arrays.
_CAST = {"json": "text", "jsonb": "text", "text[]": "text"}


#: A row to write: a value for each column.
Row: TypeAlias = dict[str, Any]


def columns(table: Table, *, only: Collection[str] = (), without: Collection[str] = ()) -> dict[str, str]:
    """Return columns of a table in its order, each with its type: all, or only some, or all without some."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {
        column.name: column.type.compile(dialect=dialect).lower()
        for column in table.columns
        if column.name not in without and (not only or column.name in only)
    }


def unnest(alias: str, columns: Mapping[str, str], prefix: str) -> str:
    """Return `unnest(...)` of one array a column, with the row's number `n`. Parameters are named prefix_column."""
    arrays = ", ".join(f"CAST(:{prefix}_{name} AS {_CAST.get(kind, kind)}[])" for name, kind in columns.items())
    return f"unnest({arrays}) WITH ORDINALITY AS {alias}({', '.join(columns)}, n)"


def value(alias: str, name: str, kind: str) -> str:
    """Return a column of such an `unnest`, cast to its type in the table."""
    return f"{alias}.{name}::{kind}" if kind in _CAST else f"{alias}.{name}"


def values(alias: str, columns: Mapping[str, str]) -> str:
    """Return all columns of such an `unnest`, cast to their types in the table."""
    return ", ".join(value(alias, name, kind) for name, kind in columns.items())


def named_values(alias: str, columns: Mapping[str, str]) -> str:
    """Return all columns of such an `unnest`, cast, and each under its own name."""
    return ", ".join(f"{value(alias, name, kind)} AS {name}" for name, kind in columns.items())


def assignments(alias: str, columns: Mapping[str, str], *, key: str) -> str:
    """Return what UPDATE sets to such an `unnest`: all columns but the key, cast to their types in the table."""
    return ", ".join(f"{name} = {value(alias, name, kind)}" for name, kind in columns.items() if name != key)


def arrays(columns: Mapping[str, str], prefix: str, rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Return the parameters of an `unnest`, from rows that have at least its columns."""
    return {
        f"{prefix}_{name}": [_literal(row[name]) for row in rows] if kind == "text[]" else [row[name] for row in rows]
        for name, kind in columns.items()
    }


def _literal(texts: Sequence[str] | None) -> str | None:
    """Return an array as a literal of PostgreSQL."""
    if texts is None:
        return None
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return f"{{{','.join(quoted)}}}"


def insert(table: str, columns: Mapping[str, str], *, order: str = "n", prefix: str = "u") -> TextClause:
    """Return an INSERT of the rows of an `unnest`, in an order: `n` is that of the rows."""
    names = ", ".join(columns)
    return text(
        f"INSERT INTO {table} ({names}) SELECT {values('u', columns)} "  # noqa: S608 - names of our own
        f"FROM {unnest('u', columns, prefix)} ORDER BY {order}",
    )
