"""What the newest evaluation said of each version of a judge policy."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE judging_evaluations (
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            measured JSON NOT NULL,
            actor TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
            CONSTRAINT judging_evaluations_pkey PRIMARY KEY (name, version)
        )
        """
    )
