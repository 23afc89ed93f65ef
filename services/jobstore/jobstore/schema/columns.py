"""Declare what kind each column is (Column.info): rows, views, facts, filters and orders of jobs follow from that."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import JSON, Column, Table

#: The kind of a column.
Info: TypeAlias = dict[str, object]
#: The part of a job that a column belongs to: SPEC, which only edits and assignments change (EDITED: edits may change
#: it; TEXT: lists leave it out), STATE, which transitions change, and ENDING, how the last execution ended.
SPEC: Info = {"part": "spec"}
EDITED: Info = SPEC | {"edited": True}
TEXT: Info = EDITED | {"text": True}
STATE: Info = {"part": "state"}
ENDING: Info = {"part": "ending"}
#: Of an execution: its request says it, and no decision changes it afterwards.
FROZEN: Info = {"frozen": True}
#: Commands alone read it.
HIDDEN: Info = {"hidden": True}
#: A new job has the table's default.
LATER: Info = {"later": True}
#: A column of STATE that every fact gives.
GIVEN: Info = {"given": True}
#: Filters or orders are by it.
MATCHED: Info = {"matched": True}


#: The condition of a job whose last execution ended, and for which nothing was requested since.
ENDED: Final = "duration_s IS NOT NULL"


class Filter(NamedTuple):
    """The names of the fields of a JobFilter about one column, and the words for its facet and its order.

    A job matches that has the value of `one`, any value of `many`, no value of those `excluded`, and a value of `least`
    or more, `highest` or less, less than `before`. `where` is the condition of the index, if that is partial.
    """

    one: str = ""
    many: str = ""
    excluded: str = ""
    least: str = ""
    highest: str = ""
    before: str = ""
    facet: str = ""
    order: str = ""
    where: str = ""

    def list_values(self) -> list[str]:
        """Return the names of the fields about single values: those of `one`, `many` and `excluded` that are set."""
        return [field for field in (self.one, self.many, self.excluded) if field]


def filtered(**fields: str) -> Info:
    """Return the info of a column by which jobs are filtered or sorted; `fields` are those of the column's Filter."""
    return MATCHED | {"filter": Filter(**fields)}


def find_names(table: Table, *kinds: Mapping[str, object], without: Collection[Mapping[str, object]] = ()) -> list[str]:
    """Return the names of the columns of a table that are of one of `kinds`, such as SPEC, and of none of `without`."""
    return [
        column.name
        for column in table.columns
        if any(kind.items() <= column.info.items() for kind in kinds)
        and not any(kind.items() <= column.info.items() for kind in without)
    ]


def as_text(column: Column[object], alias: str = "") -> str:
    """Return the SQL that reads a column of a table called `alias`; a JSON column is read as its text."""
    name = f"{alias}.{column.name}" if alias else column.name
    return f"{name}::text" if isinstance(column.type, JSON) else name
