"""A judging has the tenant of its judge policy, whose keys alone its judges are asked with."""

from alembic import op

revision = "0112"
down_revision = "0111"


def upgrade() -> None:
    """Add the column: policies of before are those of the installation."""
    op.execute("ALTER TABLE judgings ADD COLUMN policy_tenant TEXT DEFAULT 'default' NOT NULL")
