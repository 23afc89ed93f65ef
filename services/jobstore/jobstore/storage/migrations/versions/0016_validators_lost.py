"""Validators that were lost while they judged a result are counted. An older jobstore counts none."""

from alembic import op

revision = "0016"
down_revision = "0015"

STEP = "ALTER TABLE executions ADD COLUMN validators_lost SMALLINT DEFAULT 0 NOT NULL"


def upgrade() -> None:
    op.execute(STEP)
