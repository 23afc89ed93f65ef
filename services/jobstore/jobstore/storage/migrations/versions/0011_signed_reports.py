"""Signed reports: forged and unsound ones are counted a lease, and nothing from before is reused."""

from alembic import op

revision = "0011"
down_revision = "0010"

STEPS = """
ALTER TABLE executions ADD COLUMN misjudged SMALLINT DEFAULT 0 NOT NULL;
ALTER TABLE executions ADD COLUMN forged_lease INTEGER;
DELETE FROM reusable;
UPDATE executions SET reuse_key = NULL WHERE reuse_key IS NOT NULL AND state <> 'DONE';
CREATE TABLE upgrades (step TEXT PRIMARY KEY);
INSERT INTO upgrades SELECT 'unsigned_backlog' WHERE EXISTS (SELECT FROM executions);
"""


def upgrade() -> None:
    """Add the counts, and forget verdicts that were not checked and keys that were not of one tenant.

    Reports that lie unsigned in the topics are left to the first start (`unsigned_backlog`).
    """
    for step in STEPS.split(";"):
        if step.strip():
            op.execute(step)
