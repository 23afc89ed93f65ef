"""Each jobstore that runs has an epoch, which it renews."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE epochs (epoch BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, until TIMESTAMPTZ NOT NULL)"
    )
