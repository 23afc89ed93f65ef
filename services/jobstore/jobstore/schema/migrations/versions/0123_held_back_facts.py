"""What is kept says which groups hold facts back in their topics."""

from alembic import op

revision = "0123"
down_revision = "0122"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE keeping ADD COLUMN held_back JSON DEFAULT '{}' NOT NULL")
