"""Which keys have signed facts."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE relay ADD COLUMN signers JSON DEFAULT '[]' NOT NULL")
