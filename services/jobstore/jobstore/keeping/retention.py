"""Remove what retentions let go, once it is due by the database's time and by the facts' times alike.

The database says since when a job rests. Each part of the archive has the highest time of its facts, by the clocks of
jobstores: what stands before the end of a part is at least as old as that. A clock that jumps makes nothing due alone.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.engine.facts import ADMINISTRATION
from jobstore.engine.locks import Lock, try_hold_by_session
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Connection, Row
from jobstore.jobs.model import Actor
from jobstore.keeping.due import KEEPS_BACK, RULES_OF_JOBS, is_due, is_under, join_retentions, kept_s
from jobstore.keeping.pace import pause
from jobstore.keeping.removal import RemoveJobs
from jobstore.keeping.rules import GENERAL, Rule, name_retention
from jobstore.operations.commands import RemoveOperation
from servicekit.process.runtime import run_forever
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

RETENTION: Final = Actor("retention")
#: Rows of an index that one statement walks, and jobs that one transaction removes: each takes some 25 ms.
WALKED_MAX: Final = 1_000
BATCH: Final = 50
#: Operations that are removed in one pass.
OPERATIONS_MAX: Final = 100
#: Seconds between two passes, and while nothing is ever removed. A pass comes sooner where things are kept for less.
PERIOD_S: Final = 60.0
#: A job whose removal was refused is left alone for so many seconds, and so many of these are remembered.
ASIDE_S: Final = 600.0
ASIDE_MAX: Final = 100_000

#: For how long each rule keeps the things of that tenant for which it keeps them shortest; NULL: all are kept for ever.
_LEAST: Final = text(f"SELECT {', '.join(f'min({rule.field}) AS {rule.name}' for rule in Rule)} FROM retentions")  # noqa: S608
#: By rule, those of the next jobs in an index's order that are due by the database's time, and where the walk ends.
_WALKS: Final = {
    rule: text(
        f"""
        WITH walked AS (
            SELECT j.created_at, j.id FROM jobs j
            WHERE {"j.cancelled" if rule is Rule.CANCELLED else f"j.status = '{rule.name}'"}
                AND (j.created_at, j.id) > (CAST(:created_at AS timestamptz), :id)
                AND j.created_at <= signoff_now() - make_interval(secs => :least_s)
            ORDER BY j.created_at, j.id LIMIT :limit
        ), due AS (
            SELECT j.id, j.version, j.tenant, own.name AS own, kept.s AS kept_s, last.seq
            FROM walked JOIN jobs j ON j.id = walked.id
                {join_retentions("j.tenant", f"AND own.{rule.field} IS NOT NULL")}
                CROSS JOIN LATERAL (SELECT {kept_s(rule)} AS s) AS kept
                JOIN job_logs last ON last.job_id = j.id AND last.version = j.version
            WHERE {is_under(rule)} AND {is_due("kept.s")} AND NOT {KEEPS_BACK["job_held"]}
        )
        SELECT (SELECT count(*) FROM walked) AS walked, ended.created_at, ended.id AS ended, due.*
        FROM (SELECT created_at, id FROM walked ORDER BY created_at DESC, id DESC LIMIT 1) AS ended
            LEFT JOIN due ON true
        """  # noqa: S608 - words of our own
    )
    for rule in RULES_OF_JOBS
}
#: For each length of time, up to which number all facts are older than that by the clocks of jobstores: up to the first
#: part that has a younger one. A part behind that may have old ones alone, as somebody sent them to a topic again.
_SETTLED: Final = text(
    """
    SELECT kept.s, (
        SELECT p.seq FROM archive_parts p WHERE p.number < coalesce((
            SELECT min(young.number) FROM archive_parts young
            WHERE young.facts_at > CAST(:now AS timestamptz) - make_interval(secs => kept.s)), 9223372036854775807)
        ORDER BY p.number DESC LIMIT 1) AS seq
    FROM unnest(CAST(:kept_s AS float8[])) AS kept (s)
    """
)
#: Operations that ended and are past their retention, the oldest first, with the number of the last fact of each.
#: Judgings that are not counted yet would be lost to the figures of quality.
_ENDED: Final = text(
    f"""
    WITH ended AS (
        SELECT o.id, kept.s AS kept_s FROM operations o {join_retentions("o.tenant")}
            CROSS JOIN LATERAL (SELECT {kept_s(Rule.OPERATION)} AS s) AS kept
        WHERE o.state IN ('CANCELLED', 'DONE')
            AND o.finished_at <= signoff_now() - make_interval(secs => kept.s)
            AND NOT EXISTS (SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE')
            AND NOT EXISTS (SELECT FROM judgings g WHERE g.group_id = o.id AND NOT (g.state = 'DONE' AND g.is_counted))
        ORDER BY o.finished_at, o.id LIMIT :limit
    )
    SELECT ended.*, coalesce(told.seq, 0) AS seq FROM ended LEFT JOIN (
        SELECT key, max(seq) AS seq FROM facts
        WHERE topic = '{ADMINISTRATION}' AND key = ANY(ARRAY(SELECT id::text FROM ended)) GROUP BY key
    ) AS told ON told.key = ended.id::text
    """  # noqa: S608 - words of our own
)
#: Operations that are removed, of which there may be facts in the table still.
_REMOVED: Final = text(
    f"""
    SELECT DISTINCT key FROM facts
    WHERE topic = '{ADMINISTRATION}' AND body ->> 'kind' = 'operations' AND body ->> 'removed' = 'true'
    """  # noqa: S608 - a name of our own
)
#: The facts of these go once the last of them, which says that it is removed, is archived.
_CUT: Final = text(
    f"""
    WITH last AS (
        SELECT key, max(seq) AS seq FROM facts
        WHERE topic = '{ADMINISTRATION}' AND key = ANY(CAST(:keys AS text[])) GROUP BY key
    ), cut AS (
        DELETE FROM facts USING last WHERE facts.topic = '{ADMINISTRATION}' AND facts.key = last.key
            AND last.seq <= (SELECT archived_seq FROM keeping) RETURNING facts.key
    )
    SELECT DISTINCT key FROM cut
    """  # noqa: S608 - a name of our own
)
_IS_THERE: Final = text("SELECT EXISTS (SELECT FROM operations WHERE id = :id)")
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


class Retention:
    """Remove what retentions let go, in batches with pauses; one jobstore at a time does."""

    def __init__(
        self, database: Database, runner: CommandRunner, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`clock`: the jobstore's own time."""
        self._database, self._runner, self._clock = database, runner, clock
        self._wait_s = PERIOD_S
        #: Until when jobs are left alone whose removal was refused, by their ids.
        self._aside: dict[str, float] = {}
        #: What is known in this pass of `_SETTLED`.
        self._settled: dict[float, int] = {}
        #: The removed operations of which facts are still in the table; None: it is not known of which.
        self._uncut: set[str] | None = None

    async def run(self) -> None:
        """Remove what is due, for ever."""
        await run_forever(self.look, name="retention", every_s=lambda: self._wait_s)

    async def look(self) -> None:
        """Remove all that is due now, unless another jobstore does."""
        self._wait_s = PERIOD_S
        async with self._database.session() as session:
            least = dict((await session.execute(_LEAST)).one())
        kept = [each for each in least.values() if each is not None]
        if not kept or self._database.availability.find_outage() is not None:
            return
        began = time.monotonic()
        async with self._database.new_session() as session:  # which ends with this block, and the lock with it
            if await try_hold_by_session(session, Lock.RETENTION):
                await self._remove_all(session, least)
        # After a pass over much that stays, it rests as long as that took.
        self._wait_s = max(min(PERIOD_S, min(kept) / 6), time.monotonic() - began)

    async def _remove_all(self, session: Connection, least: Mapping[str, float | None]) -> None:
        self._settled.clear()
        now = time.monotonic()
        self._aside = {job_id: until for job_id, until in self._aside.items() if until > now}
        for rule in RULES_OF_JOBS:
            if (least_s := least[rule.name.lower()]) is not None:
                await self._remove_by(session, rule, least_s)
        if least[Rule.OPERATION.name.lower()] is not None:
            await self._remove_operations(session)

    async def _remove_by(self, session: Connection, rule: Rule, least_s: float) -> None:
        """Remove the jobs that are due by a rule, which keeps none for less than `least_s` seconds."""
        place: dict[str, object] = {"created_at": _BEGINNING, "id": ""}
        while True:
            began = time.monotonic()
            found = await session.execute(_WALKS[rule], {**place, "least_s": least_s, "limit": WALKED_MAX})
            if not found:
                return
            due = await self._choose_settled(session, [row for row in found if row.id is not None])
            await pause(began)
            for name, versions in _group(due):
                await self._remove(name, versions)
            place = {"created_at": found[0].created_at, "id": found[0].ended}
            if found[0].walked < WALKED_MAX:
                return

    async def _choose_settled(self, session: Connection, due: Sequence[Row]) -> list[Row]:
        """Return those jobs that are due by the facts' times, too, and whose removal was not refused of late."""
        due = [row for row in due if row.id not in self._aside]
        if missing := {row.kept_s for row in due} - self._settled.keys():
            asked = {"now": self._clock(), "kept_s": sorted(missing)}
            self._settled |= {row.s: row.seq or 0 for row in await session.execute(_SETTLED, asked)}
        return [row for row in due if row.seq <= self._settled[row.kept_s]]

    async def _remove_operations(self, session: Connection) -> None:
        """Remove the operations that are due, each with its items and judgings, and then the facts of these."""
        if self._uncut is None:
            self._uncut = set(await session.scalars(_REMOVED))
        began = time.monotonic()
        found = await session.execute(_ENDED, {"limit": OPERATIONS_MAX})
        due = await self._choose_settled(session, found)
        await pause(began)
        for row in due:
            while await self._is_there(session, row.id):
                began = time.monotonic()
                if not await self._runner.administer.run_one(RemoveOperation(row.id, actor=RETENTION)):
                    break
                await pause(began)
            else:
                self._uncut.add(str(row.id))
        if self._uncut:
            began = time.monotonic()
            self._uncut -= set(await session.scalars(_CUT, {"keys": sorted(self._uncut)}))
            await pause(began)

    async def _is_there(self, session: Connection, operation_id: UUID) -> bool:
        return bool(await session.scalar(_IS_THERE, {"id": operation_id}))

    async def _remove(self, name: str, versions: Mapping[str, int]) -> None:
        """Remove jobs by the retention of this name, which is all that their entries say: the status has its rule."""
        began = time.monotonic()
        refusals = await self._runner.administer.run_one(RemoveJobs(versions, name, actor=RETENTION))
        if len(self._aside) < ASIDE_MAX:
            # What is not archived, counted and indexed yet is so in a moment: the next pass tries it again.
            kept = (job_id for job_id, refusal in refusals.items() if refusal.code != ErrorCode.NOT_ARCHIVED)
            self._aside |= dict.fromkeys(kept, time.monotonic() + ASIDE_S)
        log.info(
            "jobs were removed",
            extra={"reason": name, "removed": len(versions) - len(refusals), "refused": len(refusals)},
        )
        await pause(began)


def _group(due: Iterable[Row]) -> Iterable[tuple[str, dict[str, int]]]:
    """Yield jobs that are removed together, with their versions, after the name of their retention."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in due:
        groups[GENERAL if row.own is None else name_retention(row.tenant)].append(row)
    for name, rows in groups.items():
        for first in range(0, len(rows), BATCH):
            yield name, {row.id: row.version for row in rows[first : first + BATCH]}
