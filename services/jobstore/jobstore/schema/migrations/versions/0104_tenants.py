"""Tenants are registered, those in use first; agents are a tenant's, and may be shared."""

import logging

from alembic import op
from sqlalchemy import text

revision = "0104"
down_revision = "0103"

log = logging.getLogger(__name__)

CHANGES = (
    # Jobs of all tenants go on using the agents that there are.
    """
    ALTER TABLE agents
        ADD COLUMN tenant TEXT DEFAULT 'default' NOT NULL, ADD COLUMN shared BOOLEAN DEFAULT true NOT NULL
    """,
    """
    CREATE TABLE tenants (
        name TEXT NOT NULL,
        title TEXT,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
        actor TEXT NOT NULL,
        renamed_from TEXT,
        CONSTRAINT tenants_pkey PRIMARY KEY (name)
    )
    """,
    "CREATE UNIQUE INDEX tenants_renamed_from_key ON tenants (renamed_from) WHERE renamed_from IS NOT NULL",
    # A name that does not fit, or with which ids of others begin, is cleaned, and ends with the beginning of its hash.
    # `tried` counts the names that are taken: it is nearly always 0.
    r"""
    CREATE FUNCTION signoff_tenant_name(given TEXT, tried INTEGER) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
        SELECT concat_ws('-', nullif(left(trim(BOTH '-' FROM regexp_replace(lower(given), '[^a-z0-9]+', '-', 'g')), 31),
            ''), left(encode(sha256(convert_to(concat(given, nullif(tried, 0)), 'UTF8')), 'hex'), 8))
    $$
    """,
    # Registers the tenants that jobs, items to come and limits are of, and gives jobs and limits the new names of those
    # that have one. Returns these. A rebuild calls it, too, once all facts are applied, and each jobstore as it starts,
    # since one of before may have made jobs meanwhile. Tenants are read along the index of jobs, and ids once, if any
    # tenant is new; rows are written of renamed tenants alone.
    r"""
    CREATE FUNCTION signoff_adopt_tenants() RETURNS TABLE (former TEXT, chosen TEXT)
    LANGUAGE plpgsql AS $$
    DECLARE
        used RECORD;
        since TIMESTAMP WITH TIME ZONE;
        tried INTEGER;
        is_new BOOLEAN := false;
    BEGIN
        FOR used IN
            WITH RECURSIVE of_jobs AS (
                (SELECT tenant FROM jobs ORDER BY tenant LIMIT 1)
                UNION ALL
                SELECT (SELECT tenant FROM jobs WHERE tenant > of_jobs.tenant ORDER BY tenant LIMIT 1)
                FROM of_jobs WHERE of_jobs.tenant IS NOT NULL
            ), prefixes AS MATERIALIZED (
                SELECT DISTINCT split_part(id, ':', 1) AS prefix, tenant FROM jobs WHERE id LIKE '%:%'
                UNION
                SELECT split_part(id, ':', 1), tenant FROM agents WHERE id LIKE '%:%'
                UNION
                SELECT split_part(name, '.', 1), 'default' FROM judging_versions WHERE name LIKE '%.%'
            )
            SELECT tenant, EXISTS (SELECT FROM prefixes p WHERE p.prefix = found.tenant AND p.tenant <> found.tenant)
                AS is_foreign
            FROM (
                SELECT tenant FROM of_jobs WHERE tenant IS NOT NULL
                UNION SELECT substr(name, 8) FROM limits WHERE name LIKE 'tenant:%' AND name <> 'tenant:*'
                UNION SELECT CASE WHEN position('\u0000' IN spec::text) = 0 THEN spec ->> 'tenant' END
                FROM operation_items WHERE NOT answered
            ) AS found
            WHERE tenant <> 'default'
                AND NOT EXISTS (SELECT FROM tenants t WHERE found.tenant IN (t.name, t.renamed_from))
            ORDER BY tenant COLLATE "C"
        LOOP
            is_new := true;
            since := coalesce((SELECT min(created_at) FROM jobs WHERE tenant = used.tenant),
                (SELECT updated_at FROM limits WHERE name = 'tenant:' || used.tenant), signoff_now());
            IF used.tenant ~ '^[a-z0-9-]{1,40}$' AND NOT used.is_foreign THEN
                INSERT INTO tenants (name, created_at, actor) VALUES (used.tenant, since, 'signoff');
            ELSE
                tried := 0;
                WHILE EXISTS (SELECT FROM tenants WHERE name = signoff_tenant_name(used.tenant, tried))
                    OR EXISTS (SELECT FROM jobs WHERE tenant = signoff_tenant_name(used.tenant, tried))
                    OR EXISTS (SELECT FROM jobs WHERE starts_with(id, signoff_tenant_name(used.tenant, tried) || ':'))
                LOOP
                    tried := tried + 1;
                END LOOP;
                INSERT INTO tenants (name, title, created_at, actor, renamed_from)
                VALUES (signoff_tenant_name(used.tenant, tried), used.tenant, since, 'signoff', used.tenant);
            END IF;
        END LOOP;
        IF is_new THEN -- the next jobstore that starts tells all that administrators set anew
            UPDATE relay SET administered_since = 0 WHERE administered_since IS NOT NULL;
        END IF;
        FOR former, chosen IN SELECT renamed_from, name FROM tenants WHERE renamed_from IS NOT NULL ORDER BY name LOOP
            UPDATE executions e SET tenant = chosen FROM jobs j
            WHERE j.tenant = former AND e.job_id = j.id AND e.tenant = former;
            UPDATE jobs SET tenant = chosen WHERE tenant = former;
            DELETE FROM limits WHERE name = 'tenant:' || former
                AND EXISTS (SELECT FROM limits renamed WHERE renamed.name = 'tenant:' || chosen);
            UPDATE limits SET name = 'tenant:' || chosen WHERE name = 'tenant:' || former;
            RETURN NEXT;
        END LOOP;
    END
    $$
    """,
)
_ADOPT = text("SELECT former, chosen FROM signoff_adopt_tenants()")


def upgrade() -> None:
    """Add what is missing, and register the tenants in use; none of this rewrites a table."""
    for change in CHANGES:
        op.execute(change)
    for former, chosen in op.get_bind().execute(_ADOPT):
        log.warning("a tenant has another name from now on", extra={"tenant": former, "renamed": chosen})
