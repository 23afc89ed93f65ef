"""Headers of agents, whose values are references."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE agents ADD COLUMN headers JSONB DEFAULT '{}' NOT NULL")
