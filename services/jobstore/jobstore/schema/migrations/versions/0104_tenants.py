"""Tenants: agents are a tenant's, and may be shared."""

from alembic import op

revision = "0104"
down_revision = "0103"

CHANGES = (
    # Jobs of all tenants go on using the agents that there are.
    """
    ALTER TABLE agents
        ADD COLUMN tenant TEXT DEFAULT 'default' NOT NULL, ADD COLUMN shared BOOLEAN DEFAULT true NOT NULL
    """,
)


def upgrade() -> None:
    """Add the columns, none of which rewrites a table."""
    for change in CHANGES:
        op.execute(change)
