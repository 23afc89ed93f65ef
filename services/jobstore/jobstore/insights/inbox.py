"""Read the inbox: what needs somebody, once for all callers of the same tenants, and what each caller has put off."""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from jobstore.access.callers import find_actor, narrow_tenants
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Connection, Tenants
from jobstore.insights.dead_letters import DeadLetterTopics
from jobstore.insights.grouping import (
    GROUPS_MAX,
    REFUSED,
    Ended,
    Newest,
    Snooze,
    group_ended,
    group_letters,
    group_waits,
    list_reasons,
    name_newest,
    put_off,
    sort_groups,
)
from jobstore.insights.overview import BY_MINUTE_MAX_S, WaitingSums
from jobstore.insights.rollups import HOUR_S, MINUTE_S, get_span_begin
from jobstore.schema.scopes import OfAll
from signoff.status import BATCH_KINDS, JobStatus
from signoff.types import Inbox, InboxGroup, InboxHappened, Operation
from signoff.values import time_text, to_usd

log = logging.getLogger(__name__)

#: Jobs that are counted of each status: the newest of them, and none that was created longer ago.
JOBS_MAX: Final = 10_000
SHOWN: Final = timedelta(days=14)
#: Groups are read again after so long, if somebody asks; a caller waits for those that are older than KEPT_S.
READ_EVERY_S: Final = 10.0
KEPT_S: Final = 30.0
#: Who says that they look at it, as after what they did, has groups of the last second.
FRESH_S: Final = 1.0
#: For so many reasons, of the most urgent groups, the newest job is looked up.
REASONS_MAX: Final = 20
#: A visit ends if its viewer says nothing for so long.
VISIT: Final = timedelta(minutes=30)
#: What a viewer is shown who never was here.
FIRST: Final = timedelta(days=1)
#: Characters of a message that are shown.
MESSAGE_MAX: Final = 500

#: Each status is read along its index, from the newest on. Of a batch the jobs of its newest items are read that were
#: carried out: what failed before the batch asked for it is none of its failures.
_OF_STATUSES: Final = """
    newest AS MATERIALIZED (
        SELECT one.* FROM unnest(CAST(:statuses AS text[])) AS of (status) CROSS JOIN LATERAL (
            SELECT id, status, agent_id, code, not_met_criteria, updated_at, live FROM jobs
            WHERE jobs.status = of.status AND created_at >= :created_after
            ORDER BY created_at DESC, id DESC LIMIT :jobs_max) AS one
    ), full_of AS (SELECT status FROM newest GROUP BY status HAVING count(*) >= :jobs_max)
    """
_OF_BATCH: Final = """
    newest AS MATERIALIZED (
        SELECT id, status, agent_id, code, not_met_criteria, updated_at, live FROM jobs
        WHERE status = ANY(CAST(:statuses AS text[])) AND id IN (
            SELECT job_id FROM operation_items WHERE operation_id = :batch_id AND answered AND code IS NULL
            ORDER BY item DESC LIMIT :jobs_max)
    ), full_of AS (SELECT status FROM newest WHERE :has_more)
    """
_GROUPED: Final = f"""
    , grouped AS MATERIALIZED (
        SELECT status = 'FAILED' AS is_failed, CASE status WHEN 'FAILED' THEN agent_id END AS agent_id,
            CASE status WHEN 'FAILED' THEN code END AS code, criterion, count(*) AS count,
            count(*) FILTER (WHERE status = '{REFUSED[0]}') AS resubmittable,
            bool_or(status IN (SELECT status FROM full_of)) AS has_more,
            min(updated_at) AS since, max(updated_at) AS newest_at,
            (array_agg(id ORDER BY updated_at DESC, id))[1] AS job_id
        FROM newest LEFT JOIN LATERAL
            unnest(CASE WHEN status <> 'FAILED' THEN not_met_criteria END) AS criterion ON true
        WHERE NOT live GROUP BY 1, 2, 3, 4 ORDER BY count DESC LIMIT :groups_max
    )
    SELECT grouped.*, (
        SELECT left(message, {MESSAGE_MAX}) FROM job_logs
        WHERE job_logs.job_id = grouped.job_id AND job_logs.code = grouped.code
        ORDER BY version DESC LIMIT 1) AS message
    FROM grouped
    """  # noqa: S608 - words of our own
_ENDED: Final = text(f"WITH {_OF_STATUSES}{_GROUPED}")
_ENDED_OF_BATCH: Final = text(f"WITH {_OF_BATCH}{_GROUPED}")
_STATUSES: Final = (JobStatus.FAILED, *REFUSED)

_HAPPENED: Final = """
    SELECT coalesce(sum(completed), 0)::bigint AS completed, coalesce(sum(failed), 0)::bigint AS failed,
        coalesce(sum(rejected + resubmission_required), 0)::bigint AS refused,
        coalesce(sum(cost_nanos), 0)::bigint AS cost_nanos
    FROM rollups WHERE span_s = :span_s AND at >= :since
    """
#: By whether the caller is of all tenants.
_READS: Final = {True: text(_HAPPENED), False: text(_HAPPENED.replace("rollups", "tenant_rollups"))}

_NEWEST: Final = text("SELECT id, title, updated_at FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")

#: A visit begins where the one before has ended, and shows what happened since.
_SINCE: Final = (
    "CASE WHEN known.seen_at < signoff_now() - CAST(:visit AS interval) THEN known.seen_at ELSE known.since END"
)
_KNOWN: Final = text(
    f"SELECT {_SINCE} AS since, snoozed::text AS snoozed FROM inboxes AS known WHERE viewer = :viewer"  # noqa: S608
)
_NOTE: Final = text(
    f"""
    INSERT INTO inboxes AS known (viewer, since, seen_at, snoozed)
    VALUES (:viewer, signoff_now() - CAST(:first AS interval), signoff_now(), CAST(:snoozed AS jsonb))
    ON CONFLICT (viewer) DO UPDATE SET since = CASE WHEN :seen THEN {_SINCE} ELSE known.since END,
        seen_at = CASE WHEN :seen THEN signoff_now() ELSE known.seen_at END,
        snoozed = (SELECT coalesce(jsonb_object_agg(key, value), '{{}}')
            FROM jsonb_each((known.snoozed - CAST(:shown AS text[])) || excluded.snoozed)
            WHERE CAST(value->>'until' AS timestamptz) > signoff_now())
    """  # noqa: S608 - words of our own
)


@dataclass(frozen=True, slots=True)
class _Found:
    """The groups of some tenants as they were read: at `read_at` by the loop's clock, at `at` by the database's."""

    groups: list[InboxGroup]
    at: datetime
    read_at: float


class Inboxes:
    """Show callers what needs somebody.

    Groups are read once for all callers of the same tenants. While somebody asks, they are read again every
    READ_EVERY_S, for which no caller waits; when nobody does, nothing is read.
    """

    def __init__(self, database: Callers, waiting: WaitingSums, dead_letters: DeadLetterTopics | None) -> None:
        self._database = database
        self._waiting = waiting
        self._dead_letters = dead_letters
        self._found: dict[Tenants, _Found] = {}
        self._reading: dict[Tenants, asyncio.Task[_Found]] = {}

    async def get(self, tenant: str = "") -> Inbox:
        """Return the inbox of the caller, of one tenant alone if one is named. TransientError: it cannot be read."""
        found = await self._find(tenant)
        async with self._database.of_all(OfAll.INBOXES).session() as session:
            known = (await session.execute(_KNOWN, {"viewer": find_actor(), "visit": VISIT})).one_or_none()
        since = get_span_begin(found.at - FIRST, HOUR_S) if known is None else known.since
        groups = put_off(found.groups, {} if known is None else _parse_snoozes(known.snoozed), found.at)
        async with self._database.session(tenant) as session:
            happened = await read_happened(session, since, found.at, of_all=narrow_tenants(tenant) is None)
        return Inbox(groups=groups, count=sum(group.snoozed_until is None for group in groups), happened=happened)

    async def note(
        self,
        tenant: str = "",
        *,
        seen: bool = False,
        snoozed: Iterable[str] = (),
        until: datetime | None = None,
        shown: Iterable[str] = (),
    ) -> None:
        """Note that the caller looks at the inbox, and put groups off until they grow, or a time at the latest."""
        found = await self._find(tenant, is_fresh=True)
        latest = found.at + SHOWN
        ends = latest if until is None else min(until, latest)
        counts = {group.id: group.count for group in found.groups}
        new = {id_: {"until": time_text(ends), "count": counts[id_]} for id_ in snoozed if id_ in counts}
        asked = {"viewer": find_actor(), "first": FIRST, "visit": VISIT, "seen": seen}
        asked |= {"snoozed": json.dumps(new), "shown": [id_ for id_ in shown if id_ in counts]}
        async with self._database.of_all(OfAll.INBOXES).session() as session:
            await session.execute(_NOTE, asked)

    async def _find(self, tenant: str, *, is_fresh: bool = False) -> _Found:
        key, now = narrow_tenants(tenant), asyncio.get_running_loop().time()
        every_s, kept_s = (FRESH_S, FRESH_S) if is_fresh else (READ_EVERY_S, KEPT_S)
        found = self._found.get(key)
        while found is None or now - found.read_at >= every_s:
            reading = self._reading.get(key)
            if reading is None:  # in the context of this caller, whose tenants are those of all that share it
                reading = self._reading[key] = asyncio.create_task(self._read(key, tenant), name="inbox")
                reading.add_done_callback(lambda ended: self._settle(key, ended))
            if found is not None and now - found.read_at < kept_s:
                break
            found = await asyncio.shield(reading)
        return found

    def _settle(self, key: Tenants, ended: "asyncio.Task[_Found]") -> None:
        del self._reading[key]
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.warning("the inbox cannot be read; callers have that of before", exc_info=error)

    async def _read(self, key: Tenants, tenant: str) -> _Found:
        now = asyncio.get_running_loop().time()
        sums = await self._waiting.get() if key is None else None
        async with self._database.session(tenant) as session:
            waiting = sums or await self._waiting.read(session)
            ended = await read_ended(session, created_after := get_span_begin(waiting.at - SHOWN, 24 * HOUR_S))
            own = min(key) if key is not None and len(key) == 1 else ""  # whoever acts on it, acts on that tenant's
            groups = [*group_waits(waiting.sums, own), *group_ended(ended, created_after, own)]
            groups = await self._name_newest(session, sort_groups(groups))
        if key is None and self._dead_letters is not None:  # what cannot be read is of no tenant
            groups += group_letters(await self._dead_letters.list_ends())
        self._found = {of: found for of, found in self._found.items() if now - found.read_at < KEPT_S}
        self._found[key] = _Found(sort_groups(groups), waiting.at, now)
        return self._found[key]

    async def _name_newest(self, session: Connection, groups: list[InboxGroup]) -> list[InboxGroup]:
        reasons = list_reasons(groups)[:REASONS_MAX]
        waiting = await self._waiting.find_newest(session, reasons) if reasons else {}
        ids = [*waiting.values(), *(group.newest_job_id for group in groups if group.newest_job_id)]
        rows = await session.execute(_NEWEST, {"ids": ids}) if ids else []
        return name_newest(groups, waiting, {row.id: Newest(*row) for row in rows})


async def read_ended(connection: Connection, created_after: datetime) -> list[Ended]:
    """Return the jobs that ended and are not accepted, by what they have in common, the most first."""
    asked = {"statuses": list(_STATUSES), "created_after": created_after}
    rows = await connection.execute(_ENDED, {**asked, "jobs_max": JOBS_MAX, "groups_max": GROUPS_MAX})
    return [Ended(*row) for row in rows]


async def read_batch_groups(connection: Connection, batch: Operation) -> list[InboxGroup]:
    """Return what of a batch failed or was not accepted and stands so now, in groups; none of what executes nothing."""
    if batch.kind not in BATCH_KINDS or not batch.counts.keys() & set(_STATUSES):
        return []
    asked = {"statuses": list(_STATUSES), "batch_id": batch.id, "has_more": batch.total > JOBS_MAX}
    rows = await connection.execute(_ENDED_OF_BATCH, {**asked, "jobs_max": JOBS_MAX, "groups_max": GROUPS_MAX})
    return sort_groups(group_ended([Ended(*row) for row in rows], batch_id=batch.id))


async def read_happened(connection: Connection, since: datetime, now: datetime, *, of_all: bool) -> InboxHappened:
    """Return the counts of what happened since a time, to the minute or the hour.

    `of_all`: they are of all tenants, else of those of the connection.
    """
    span_s = MINUTE_S if (now - since).total_seconds() <= BY_MINUTE_MAX_S else HOUR_S
    asked = {"span_s": span_s, "since": get_span_begin(since, span_s)}
    row = (await connection.execute(_READS[of_all], asked)).one()
    judged = row.completed + row.refused
    return InboxHappened(
        since=since,
        ended=judged + row.failed,
        completed=row.completed,
        failed=row.failed,
        acceptance_rate=row.completed / judged if judged else None,
        cost_usd=to_usd(row.cost_nanos),
    )


def _parse_snoozes(stored: str) -> Mapping[str, Snooze]:
    return {
        id_: Snooze(datetime.fromisoformat(each["until"]), each["count"]) for id_, each in json.loads(stored).items()
    }
