"""The operations of a job are looked up by it: lists of a batch, and batches with their numbers beside any filter."""

from alembic import op

revision = "0026"
down_revision = "0025"

NAME = "operation_items_job_id_idx"


def upgrade() -> None:
    """Make the index while jobstores go on. It may be broken off anywhere."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        op.execute(f"CREATE INDEX CONCURRENTLY {NAME} ON operation_items (job_id, operation_id)")
