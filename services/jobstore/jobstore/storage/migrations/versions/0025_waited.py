"""What executions waited for: the entries that end a wait say so from now on."""

from alembic import op

revision = "0025"
down_revision = "0024"

STEPS = (
    "ALTER TABLE job_logs ADD COLUMN waited JSON",
    "ALTER TABLE executions ADD COLUMN waited JSONB",
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)
