"""An execution keeps the trace that it belongs to."""

from alembic import op

revision = "0122"
down_revision = "0121"


def upgrade() -> None:
    """Add the column; executions from before have traces of their own."""
    op.execute("ALTER TABLE executions ADD COLUMN traceparent TEXT")
