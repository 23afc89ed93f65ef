"""What viewers of the inbox have seen and put off is kept by their names."""

from alembic import op

revision = "0116"
down_revision = "0115"


def upgrade() -> None:
    """Add the table."""
    op.execute(
        """
        CREATE TABLE inboxes (
            viewer TEXT NOT NULL,
            since TIMESTAMP WITH TIME ZONE NOT NULL,
            seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
            snoozed JSONB NOT NULL,
            CONSTRAINT inboxes_pkey PRIMARY KEY (viewer)
        )
        """
    )
