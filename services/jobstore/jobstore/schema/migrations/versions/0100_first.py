"""The first tables.

Until a release has this revision, a table, a column or an index is added in `schema/tables.py` alone; a database of
before is made anew. With the release the SQL that this gives (`alembic upgrade --sql`) takes its place, and each change
is a revision of its own.
"""

from alembic import op

from jobstore.schema.tables import metadata

revision = "0100"
down_revision = None

#: The database's time is read through one function, which tests replace by one that is shifted. It is stable, so that
#: indexes serve comparisons with it, and a single expression, so that the planner puts it in place of the call: a
#: statement then costs and is planned as with now(). It is the time of the statement, since a transaction may have
#: waited for locks.
CLOCK = """
CREATE FUNCTION signoff_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT statement_timestamp()'
"""
#: The rows that tables of one row begin with.
ROWS = "INSERT INTO relay (id, published_seq, offsets) VALUES (1, 0, '{}')"


def upgrade() -> None:
    op.execute(CLOCK)
    metadata.create_all(op.get_bind())
    op.execute(ROWS)
