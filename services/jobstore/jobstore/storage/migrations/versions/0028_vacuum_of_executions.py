"""Vacuum executions often, and without pauses: each look at a queue passes what its executions have left behind.

A life changes its execution five times, and is in each of the queues' indexes for a moment. After 300,000 lives, of
which nothing was vacuumed, these looks took a quarter of all time at 20 lives a second.
"""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE executions SET (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.01, "
        "autovacuum_vacuum_cost_delay = 0)"
    )
