"""The database's time is read through one function, which tests replace by one that is shifted."""

from alembic import op

revision = "0017"
down_revision = "0016"

#: Stable, so that indexes serve comparisons with it, and a single expression, so that the planner puts it in place of
#: the call: a statement then costs and is planned as with now(). It is the time of the statement, since a transaction
#: may have waited for locks.
STEPS = """
CREATE FUNCTION signoff_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT statement_timestamp()';
ALTER TABLE jobs ALTER created_at SET DEFAULT signoff_now(), ALTER updated_at SET DEFAULT signoff_now();
ALTER TABLE executions ALTER created_at SET DEFAULT signoff_now();
ALTER TABLE limits ALTER updated_at SET DEFAULT signoff_now();
ALTER TABLE reusable ALTER created_at SET DEFAULT signoff_now();
ALTER TABLE operations ALTER created_at SET DEFAULT signoff_now(), ALTER due_at SET DEFAULT signoff_now();
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        if statement.strip():
            op.execute(statement)
