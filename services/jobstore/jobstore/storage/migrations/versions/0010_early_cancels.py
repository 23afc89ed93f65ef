"""Cancels of executions that nobody has asked for yet are forgotten in time: an index of them."""

from alembic import op

revision = "0010"
down_revision = "0009"

#: Those from before have facts, and are kept for good: nothing is due of them.
STEP = """
CREATE INDEX executions_early_cancels_idx ON executions (due_at)
    WHERE state = 'DONE' AND due_at IS NOT NULL AND request_version IS NULL
"""


def upgrade() -> None:
    op.execute(STEP)
