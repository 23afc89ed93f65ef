"""Facts that stand as stubs in their topics, until those take the whole."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE stubs (
            seq BIGINT NOT NULL,
            topic TEXT NOT NULL,
            key TEXT NOT NULL,
            version BIGINT,
            code TEXT NOT NULL,
            bytes BIGINT NOT NULL,
            CONSTRAINT stubs_pkey PRIMARY KEY (seq)
        )
        """
    )
