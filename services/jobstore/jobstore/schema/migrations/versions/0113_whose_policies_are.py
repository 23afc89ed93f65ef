"""Judge policies, criteria sets and golden sets are a tenant's, and may be shared."""

from alembic import op

revision = "0113"
down_revision = "0112"


def upgrade() -> None:
    """Add the columns: all tenants go on using what there is."""
    op.execute(
        "ALTER TABLE judging_versions ADD COLUMN tenant TEXT DEFAULT 'default' NOT NULL, "
        "ADD COLUMN shared BOOLEAN DEFAULT true NOT NULL"
    )
