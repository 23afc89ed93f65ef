"""Facts are found by what they are about: those of an operation, once it or a job that it made is removed."""

from alembic import op

revision = "0125"
down_revision = "0124"


def upgrade() -> None:
    """Make the index while facts are written; an interrupted start begins anew."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS facts_key_idx")
        op.execute("CREATE INDEX CONCURRENTLY facts_key_idx ON facts (key)")
