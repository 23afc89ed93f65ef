"""Times that run out at each stage, progress, and circuits."""

from alembic import op

revision = "0002"
down_revision = "0001"

CHANGES = """
ALTER TABLE executions ADD COLUMN fails_at TIMESTAMP WITH TIME ZONE;
UPDATE executions SET fails_at = deadline_at WHERE state <> 'DONE';
DROP INDEX executions_deadline_at_idx;
CREATE INDEX executions_fails_at_idx ON executions (fails_at) WHERE state <> 'DONE';
CREATE INDEX executions_agent_id_idx ON executions (agent_id, priority DESC, due_at)
    WHERE stage = 'EXECUTING' AND state = 'QUEUED';
ALTER TABLE jobs ADD COLUMN progress DOUBLE PRECISION, ADD COLUMN progress_message TEXT;
ALTER TABLE job_logs ADD COLUMN progress DOUBLE PRECISION;
CREATE TABLE circuits (
    agent_id TEXT NOT NULL,
    failures INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    probe_id UUID,
    CONSTRAINT circuits_pkey PRIMARY KEY (agent_id),
    CONSTRAINT circuits_agent_id_fkey FOREIGN KEY(agent_id) REFERENCES agents (id)
);
"""


def upgrade() -> None:
    for statement in CHANGES.split(";"):
        if statement.strip():
            op.execute(statement)
