"""Operations have names and parameters, and are claimed apart from older jobstores, which know no kind but execute."""

from alembic import op

revision = "0019"
down_revision = "0018"

STEPS = """
ALTER TABLE operations ADD COLUMN name TEXT, ADD COLUMN parameters JSON DEFAULT '{}' NOT NULL,
    ADD COLUMN claimed_until TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL;
CREATE INDEX operations_retry_of_idx ON operations (retry_of) WHERE retry_of IS NOT NULL
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        op.execute(statement)
