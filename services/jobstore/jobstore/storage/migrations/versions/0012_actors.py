"""Who asked: entries of logs and operations say so from now on."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns. Nobody knows who asked for what is there already."""
    op.execute("ALTER TABLE job_logs ADD COLUMN actor TEXT")
    op.execute("ALTER TABLE operations ADD COLUMN actor TEXT")
