"""Why facts are not archived, and which part of the archive was refused."""

from alembic import op

revision = "0120"
down_revision = "0119"


def upgrade() -> None:
    """Add the columns, which are empty while all is well."""
    op.execute("ALTER TABLE keeping ADD COLUMN archive_error TEXT, ADD COLUMN suspect BIGINT")
