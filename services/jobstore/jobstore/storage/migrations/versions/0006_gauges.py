"""Highest samples of gauges, by minute and hour."""

from alembic import op

revision = "0006"
down_revision = "0005"

#: None in the rows of a time without a sample, and in those from before.
STEPS = """
ALTER TABLE rollups ADD COLUMN queued_max BIGINT, ADD COLUMN running_max BIGINT, ADD COLUMN judging_max BIGINT;
ALTER TABLE rollup ADD COLUMN sampled_at TIMESTAMP WITH TIME ZONE;
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        if statement.strip():
            op.execute(statement)
