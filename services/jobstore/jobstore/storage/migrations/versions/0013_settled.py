"""Up to which number no row of the log can still commit: watches go on from it, whatever is published."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("ALTER TABLE relay ADD COLUMN settled_seq BIGINT DEFAULT 0 NOT NULL")
