"""What columns are (Column.info): rows, views, facts, filters and orders of jobs are derived from it."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeAlias

from sqlalchemy import JSON, Column, Table

#: What a column is, as its `info` says.
Info: TypeAlias = dict[str, object]
#: The part of a job that a column is of: what an edit or an assignment alone changes (EDITED: an edit may; TEXT: lists
#: leave it out), what transitions change, and how the last execution ended.
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


class Filter(NamedTuple):
    """The fields of a JobFilter about a column: of its `one` value, of any of `many`, and of none of those `excluded`.

    `facet`: the word under which its values are counted; `partial`: its index leaves out where it is NULL.
    """

    one: str = ""
    many: str = ""
    excluded: str = ""
    facet: str = ""
    partial: bool = False

    def info(self) -> Info:
        """Return what a column is by which jobs are filtered."""
        return MATCHED | {"filter": self}


def find_names(table: Table, *kinds: Mapping[str, object], without: Collection[Mapping[str, object]] = ()) -> list[str]:
    """Return the names of the columns of a table that are of any of some kinds, such as SPEC, and of none of others."""
    return [
        column.name
        for column in table.columns
        if any(kind.items() <= column.info.items() for kind in kinds)
        and not any(kind.items() <= column.info.items() for kind in without)
    ]


def as_text(column: Column[object], alias: str = "") -> str:
    """Return the SQL that reads a column of a table called `alias`, JSON as the text that it is."""
    name = f"{alias}.{column.name}" if alias else column.name
    return f"{name}::text" if isinstance(column.type, JSON) else name
