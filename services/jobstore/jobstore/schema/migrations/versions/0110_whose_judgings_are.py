"""Judgings without a job are of a tenant, which pays for them."""

from alembic import op

revision = "0110"
down_revision = "0109"

CHANGES = (
    "ALTER TABLE judgings ADD COLUMN tenant TEXT DEFAULT 'default' NOT NULL",
    """
    UPDATE judgings g SET tenant = e.tenant FROM executions e
        WHERE g.state <> 'DONE' AND e.execution_id = g.execution_id AND e.tenant <> g.tenant
    """,
)


def upgrade() -> None:
    """Add the column, and name the tenants of those that are open."""
    for change in CHANGES:
        op.execute(change)
