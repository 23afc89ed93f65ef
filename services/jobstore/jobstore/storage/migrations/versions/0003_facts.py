"""Facts beside the logs of jobs, and what a rebuild from the topics needs."""

from alembic import op

revision = "0003"
down_revision = "0002"

#: What agents are, and how execution ids were refused, becomes facts. The relay begins again at version 1: what it
#: published before lacks what a rebuild needs.
STEPS = """
CREATE TABLE facts (
    seq BIGINT DEFAULT nextval('job_logs_seq_seq') NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    body JSON NOT NULL,
    CONSTRAINT facts_pkey PRIMARY KEY (seq)
);
ALTER TABLE job_logs ADD COLUMN spent INTEGER;
UPDATE job_logs SET spent = counted.spent FROM (
    SELECT seq, count(*) FILTER (WHERE kind IN ('attempt_failed', 'lapsed') AND status = 'IN_PROGRESS')
        OVER (PARTITION BY execution_id ORDER BY version) AS spent
    FROM job_logs WHERE execution_id IS NOT NULL
) AS counted WHERE counted.seq = job_logs.seq;
UPDATE executions SET seq = 0, offers = 0 WHERE state = 'DONE' AND (seq <> 0 OR offers <> 0);
INSERT INTO facts (seq, topic, key, body)
SELECT number, 'agent-changed', id, json_build_object('agent_id', id, 'cursor', number, 'agent', json_build_object(
    'id', id, 'name', name, 'protocol', protocol, 'url', url, 'capabilities', capabilities, 'policy', policy,
    'enabled', enabled, 'created_at', created_at, 'updated_at', updated_at))
FROM (SELECT nextval('job_logs_seq_seq') AS number, * FROM agents ORDER BY id) AS numbered;
INSERT INTO facts (seq, topic, key, body)
SELECT number, 'execution-refused', coalesce(nullif(job_id, ''), execution_id::text),
    json_strip_nulls(json_build_object(
        'execution_id', execution_id, 'job_id', nullif(job_id, ''), 'cursor', number,
        'answer', split_part(answer, ':', 1), 'code', nullif(split_part(answer, ':', 2), ''),
        'refused_at', created_at))
FROM (
    SELECT nextval('job_logs_seq_seq') AS number, * FROM (
        SELECT * FROM executions WHERE state = 'DONE' AND request_version IS NULL ORDER BY execution_id
    ) AS refused
) AS numbered;
UPDATE relay SET published_seq = 0, offsets = coalesce(
    (SELECT json_object_agg('job-changed/' || key, value) FROM json_each(offsets)), '{}');
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        if statement.strip():
            op.execute(statement)
