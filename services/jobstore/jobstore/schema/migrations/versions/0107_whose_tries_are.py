"""Tries of agents are of a tenant."""

from alembic import op

revision = "0107"
down_revision = "0106"

CHANGES = ("ALTER TABLE agent_tasks ADD COLUMN tenant TEXT DEFAULT 'default' NOT NULL",)


def upgrade() -> None:
    """Add the column, which rewrites no table. Tries are kept for a day."""
    for change in CHANGES:
        op.execute(change)
