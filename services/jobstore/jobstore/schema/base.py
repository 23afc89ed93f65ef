"""What all declarations of tables share."""

from functools import partial

from sqlalchemy import Column, DateTime, MetaData, Table
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "%(column_0_label)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)
TIME = DateTime(timezone=True)
#: A column that is never NULL.
required = partial(Column[object], nullable=False)


def declare(name: str, *items: SchemaItem) -> Table:
    """Declare a table with columns, indexes and constraints, which may have settings that only PostgreSQL has."""
    return Table(name, metadata, *items)
