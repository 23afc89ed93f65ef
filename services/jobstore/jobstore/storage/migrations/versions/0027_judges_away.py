"""Since when the judge of a result does not answer: the validator that waits for it says so with each renewal."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute("ALTER TABLE executions ADD COLUMN judge_away_at TIMESTAMPTZ")
