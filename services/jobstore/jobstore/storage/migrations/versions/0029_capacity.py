"""Workers say their capacity."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute("ALTER TABLE workers ADD COLUMN capacity int NOT NULL DEFAULT 0")
