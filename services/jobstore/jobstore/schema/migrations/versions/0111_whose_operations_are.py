"""Operations are of a tenant, if all their jobs are."""

from alembic import op

revision = "0111"
down_revision = "0110"


def upgrade() -> None:
    """Add the column. Operations from before are of none, since the facts of them name none."""
    op.execute("ALTER TABLE operations ADD COLUMN tenant TEXT")
