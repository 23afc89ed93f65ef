"""What is due has an index by when; what has no deadline, and jobs without labels, have fewer entries in indexes."""

from alembic import op

revision = "0014"
down_revision = "0013"

#: The first entry of a stage and state in the index on what is due says when a loop must look again.
STEPS = """
DROP INDEX executions_due_idx;
CREATE INDEX executions_due_idx ON executions (stage, state, due_at)
    WHERE state <> 'DONE' AND (stage <> 'EXECUTING' OR state <> 'QUEUED');
DROP INDEX executions_fails_at_idx;
CREATE INDEX executions_fails_at_idx ON executions (fails_at) WHERE state <> 'DONE' AND fails_at IS NOT NULL;
DROP INDEX jobs_labels_idx;
CREATE INDEX jobs_labels_idx ON jobs USING gin (labels jsonb_path_ops) WHERE labels <> '{}';
CREATE INDEX workers_stage_idx ON workers (stage);
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        if statement.strip():
            op.execute(statement)
