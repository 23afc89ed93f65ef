"""How long calls and judgings took: the entries that end them say so from now on."""

from alembic import op

revision = "0018"
down_revision = "0017"

STEP = "ALTER TABLE job_logs ADD COLUMN duration_s DOUBLE PRECISION"


def upgrade() -> None:
    op.execute(STEP)
