"""The execution that the last entry of a removed job names is found by that entry, and has no row any more."""

from alembic import op

revision = "0124"
down_revision = "0123"


def upgrade() -> None:
    """Replace the index while logs are written; an interrupted start begins anew."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS job_logs_removed_execution_idx")
        op.execute(
            "CREATE INDEX CONCURRENTLY job_logs_removed_execution_idx ON job_logs (execution_id) WHERE kind = 'removed'"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS job_logs_removed_idx")
