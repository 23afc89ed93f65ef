"""Compare a rebuilt database with the live one, row by row: `python -m jobstore.recovery.verify` (docs/adr/0006)."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Table, Text, text

from contracts.signing import FactFilter, FactKeys
from contracts.topics import FACT_TOPICS
from jobstore.config import VerifySettings
from jobstore.engine.database import Database
from jobstore.engine.facts import ADMINISTERED, ADMINISTRATION
from jobstore.engine.facts import UNTOLD as UNTOLD_OF_ADMINISTERED
from jobstore.engine.sql import Connection, Row
from jobstore.executions.store import REMEMBERED
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.transitions import NO_ENDING
from jobstore.recovery import process
from jobstore.schema import tables
from servicekit.archive.history import ArchivedHistory, ArchivedParts
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive
from servicekit.errors import PermanentError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import History, describe_unread
from servicekit.process.settings import load_settings
from signoff.errors import ErrorCode

#: Columns of a live execution that change without a fact: of leases, offers and timeouts.
OPERATIONAL: Final = frozenset({"state", "owner", "due_at", "fails_at", "offers", "seq", "lease"})
#: Columns that no fact has. Of an execution: those that follow from limits, and counts of its present attempt; and
#: whether its work is only looked for, which a rebuild says of all that may have been sent. Its tenant is its job's;
#: where it was never requested, that is what was known of the job then.
UNTOLD: Final = {
    "executions": frozenset(
        {"flow", "misjudged", "forged_lease", "validators_lost", "waited", "judge_away_at", "follows_only", "tenant"}
    ),
    **UNTOLD_OF_ADMINISTERED,
}
#: Items that a rebuild queues to be judged again: those of a running operation `rejudge`.
_JUDGES: Final = (
    "EXISTS (SELECT FROM operations o WHERE o.id = operation_id AND o.kind = 'rejudge' "
    "AND o.state NOT IN ('CANCELLED', 'DONE'))"
)
#: Columns that are not compared in some rows, with the condition of these rows.
_PASSED_BY: Final[Mapping[str, tuple[Collection[str], str]]] = {
    "executions": (OPERATIONAL, "state <> 'DONE'"),
    "operation_items": (("answered", "execution_id"), _JUDGES),
}
#: Columns that differ where the rebuild ended a live execution whose agent must not be called twice.
ENDED: Final = {
    "jobs": frozenset({"status", "version", "live", "updated_at", *NO_ENDING}),
    "executions": OPERATIONAL | {"answer"},
}
#: How many rows are read from each database at once.
PAGE: Final = 2_000
#: How many differing rows of each table are shown, and how many jobs are named that an older copy lacks.
DIFFERENCES_MAX: Final = 100
NAMED_OLDER_MAX: Final = 10
#: Characters of each value that a difference shows.
EXCERPT: Final = 200

_UNPUBLISHED: Final = text(
    "SELECT (SELECT count(*) FROM job_logs WHERE seq > published_seq) "
    "+ (SELECT count(*) FROM facts WHERE seq > published_seq) FROM relay"
)
#: How many facts are named that are stubs in their topics.
NAMED_MAX: Final = 100
_STUBS: Final = text(
    "SELECT concat_ws(' ', CASE WHEN version IS NULL THEN topic END, key, 'version ' || version) "
    "FROM stubs ORDER BY seq LIMIT :limit"
)
#: The last number that was recorded; the rebuild's own entries come after it.
_END: Final = text(
    "SELECT greatest((SELECT max(seq) FROM facts), (SELECT max(seq) FROM job_logs WHERE kind <> :rebuilt), 0)"
)
_MOVED: Final = text(
    "SELECT job_id AS about, min(version) AS version FROM job_logs WHERE seq > :after GROUP BY job_id "
    "UNION ALL SELECT DISTINCT key, NULL::bigint FROM facts WHERE seq > :after ORDER BY about"
)
_ENDED_BY_REBUILD: Final = text("SELECT EXISTS (SELECT FROM job_logs WHERE job_id = :job_id AND kind = :kind)")


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """A table to compare, with the queries of its rows and their digests; `key` is an SQL expression of the row."""

    table: Table
    key: str

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def columns(self) -> Mapping[str, str]:
        """The SQL expression of each column as text, by name; NULL for operational columns of a live execution."""
        untold, (names, where) = UNTOLD.get(self.name, ()), _PASSED_BY.get(self.name, ((), ""))
        texts = {column.name: f"{column.name}::text" for column in self.table.columns if column.name not in untold}
        return texts | {name: f"CASE WHEN NOT {where} THEN {name}::text END" for name in names}

    @property
    def digest_query(self) -> str:
        """The query of every row's key and digest, in an order that is the same in every database."""
        is_text = self.key not in self.table.c or isinstance(self.table.c[self.key].type, Text)
        order = f'{self.key} COLLATE "C"' if is_text else self.key
        row = ", ".join(self.columns.values())
        digest = f"sha256(convert_to(ROW({row})::text, 'UTF8'))"
        where = f" WHERE {_COMPARED[self.name]}" if self.name in _COMPARED else ""
        return f"SELECT {self.key}, {digest} FROM {self.name}{where} ORDER BY {order}"  # noqa: S608 - names of our own

    @property
    def row_query(self) -> str:
        """The query of one row, by its key."""
        columns = ", ".join(f"{value} AS {name}" for name, value in self.columns.items())
        return f"SELECT {columns} FROM {self.name} WHERE {self.key} = :key"  # noqa: S608 - names of our own


#: Removal entries that are this old may have gone, with what stayed of their executions.
_OLD: Final = "created_at <= signoff_now() - interval '30 days'"
#: Which rows of a table are compared. Answers that are kept for a time are not published as facts; what is left of a
#: removed job's log until it is cut is told by no fact any more, facts of a removed operation are cut, too, and those
#: of a batch forget what removed jobs were, some time after these were removed.
_COMPARED: Final[Mapping[str, str]] = {
    "facts": f"""NOT (topic = '{ADMINISTRATION}' AND key IN (SELECT key FROM facts WHERE topic = '{ADMINISTRATION}'
        AND body ->> 'kind' = 'operations' AND body ->> 'removed' = 'true'))
        AND NOT (topic = '{ADMINISTRATION}' AND body ->> 'kind' = 'operation_items' AND EXISTS (
            SELECT FROM json_array_elements(body -> 'rows') AS item
            JOIN job_logs r ON r.job_id = item ->> 'job_id' AND r.kind = 'removed'))""",  # noqa: S608 - names of our own
    "executions": f"NOT ({REMEMBERED}) AND NOT EXISTS (SELECT FROM job_logs r WHERE r.job_id = executions.job_id "
    f"AND r.kind = 'removed' AND r.{_OLD})",
    "job_logs": "CASE WHEN kind = 'removed' "
    f"THEN NOT {_OLD} ELSE NOT EXISTS (SELECT FROM job_logs r WHERE r.job_id = job_logs.job_id "
    "AND r.kind = 'removed') END",
}
TABLES: Final = (
    ComparedTable(tables.agents, "id"),
    ComparedTable(tables.agent_settings, "encode(hash, 'hex')"),
    ComparedTable(tables.jobs, "id"),
    ComparedTable(tables.job_logs, "seq"),
    ComparedTable(tables.executions, "execution_id"),
    ComparedTable(tables.facts, "seq"),
    *(
        ComparedTable(table, f"concat_ws(' ', {', '.join(column.name for column in table.primary_key)})")
        for table in ADMINISTERED
    ),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between two databases in one column of a row; `column` None: only one database has the row."""

    table: str
    key: str
    job_id: str | None
    version: int | None
    column: str | None
    rebuilt: str | None
    live: str | None


@dataclass(slots=True)
class Verify:
    """Compare a rebuilt and a live database, each in one snapshot. They are equal only if the live one does not change.

    Rows that the live database recorded after the last entry of the rebuilt one count as its age, not as differences.
    """

    rebuilt: Connection
    live: Connection
    counts: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    is_complete: bool = True
    _end: int = 0
    #: The jobs and keys of facts after the end of the rebuilt database; of a job, the first version that it lacks.
    _moved: dict[str, int | None] = field(default_factory=dict)
    _is_older: bool = False

    async def run(self) -> Mapping[str, object]:
        """Compare all tables, and return whether the databases are equal, and where they differ.

        `differences` has up to DIFFERENCES_MAX rows of each table, all of them if `complete`; `older` is set if the
        rebuilt database ends before the live one. `counts` has the number of rows by table, `ended` that of the jobs
        whose execution the rebuild ended, and `behind` that of the facts that the relay has yet to publish; `stubs`
        names facts that are stubs in their topics, and so cannot be rebuilt.
        """
        self._end = await self.rebuilt.scalar(_END, {"rebuilt": TransitionKind.REBUILT.value})
        self._moved = {row.about: row.version for row in await self.live.execute(_MOVED, {"after": self._end})}
        for compared in TABLES:
            await self._compare(compared)
        older = self._describe_age() if self._is_older else None
        return {
            "ok": not self.differences and older is None,
            "counts": self.counts,
            "differences": [asdict(difference) for difference in self.differences],
            "complete": self.is_complete,
            "older": older,
            "behind": await self.live.scalar(_UNPUBLISHED),
            "ended": len(self.ended),
            "stubs": list(await self.live.scalars(_STUBS, {"limit": NAMED_MAX})),
        }

    def _describe_age(self) -> Mapping[str, object]:
        """Return how many jobs went on after the rebuilt database ends, and the last versions that some have in it."""
        versions = [(about, version - 1) for about, version in self._moved.items() if version is not None]
        return {"jobs": len(versions), "ends_at": dict(versions[:NAMED_OLDER_MAX])}

    async def _compare(self, compared: ComparedTable) -> None:
        self.counts[compared.name] = 0
        left = DIFFERENCES_MAX
        async for key, one, other in _merge(self.rebuilt, self.live, compared.digest_query):
            self.counts[compared.name] += 1
            if one == other or self._is_newer(compared, key, is_there=other is not None):
                continue
            query, asked = text(compared.row_query), {"key": key}
            rows = [(await each.execute(query, asked)).one_or_none() for each in (self.rebuilt, self.live)]
            if compared.table is tables.executions:
                job_id = next(row["job_id"] for row in rows if row is not None)
                if self._is_newer(compared, job_id, is_there=bool(rows[1])):
                    continue
            if await self._is_end_by_rebuild(compared, *rows):
                continue
            if not left:
                self.is_complete = False
                return
            left -= 1
            self.differences += _locate_differences(compared, str(key), *rows)

    def _is_newer(self, compared: ComparedTable, about: object, *, is_there: bool) -> bool:
        """Return whether a live row of a key or job (`about`), if any, was recorded after the rebuilt database ends."""
        is_numbered = compared.key == "seq"
        if not is_there or not (about > self._end if is_numbered else str(about) in self._moved):  # type: ignore[operator]
            return False
        self._is_older = True
        return True

    async def _is_end_by_rebuild(self, compared: ComparedTable, rebuilt: Row | None, live: Row | None) -> bool:
        """Return whether two rows differ only because the rebuild ended an execution, as the log of the job says."""
        if rebuilt is None:
            return False
        if live is None:
            return compared.table is tables.job_logs and rebuilt["kind"] == TransitionKind.REBUILT
        differing = {name for name in compared.columns if rebuilt[name] != live[name]}
        if not differing <= ENDED.get(compared.name, frozenset()):
            return False
        job_id = rebuilt["id" if compared.table is tables.jobs else "job_id"]
        asked = {"job_id": job_id, "kind": TransitionKind.REBUILT.value}
        is_ended = await self.rebuilt.scalar(_ENDED_BY_REBUILD, asked)
        if is_ended:
            self.ended.add(job_id)
        return bool(is_ended)


async def _merge(
    rebuilt: Connection, live: Connection, query: str
) -> AsyncIterator[tuple[object, bytes | None, bytes | None]]:
    """Yield every key, in order, with the digests of its rebuilt and its live row; None in place of a missing row's."""
    left, right = (aiter(each.stream(text(query), rows_ahead=PAGE)) for each in (rebuilt, live))
    one, other = await anext(left, None), await anext(right, None)
    while one is not None or other is not None:
        key = min(row[0] for row in (one, other) if row is not None)
        first = one if one is not None and one[0] == key else None
        second = other if other is not None and other[0] == key else None
        yield key, first and first[1], second and second[1]
        one = await anext(left, None) if first else one
        other = await anext(right, None) if second else other


def _locate_differences(compared: ComparedTable, key: str, rebuilt: Row | None, live: Row | None) -> list[Difference]:
    row = rebuilt if rebuilt is not None else live
    assert row is not None
    names = {"jobs": "id", "job_logs": "job_id", "executions": "job_id", "operation_items": "job_id", "holds": "job_id"}
    job_id = row[names[compared.name]] if compared.name in names else None
    version = int(row["version"]) if compared.table is tables.job_logs else None
    locate = partial(Difference, compared.name, key, job_id, version)
    if rebuilt is None or live is None:
        return [locate(None, *(("missing", "there") if rebuilt is None else ("there", "missing")))]
    columns = (name for name in compared.columns if rebuilt[name] != live[name])
    return [locate(name, *_cut_excerpts(rebuilt[name], live[name])) for name in columns]


def _cut_excerpts(one: str | None, other: str | None) -> tuple[str | None, str | None]:
    """Return two values, each cut to EXCERPT characters that begin shortly before the first difference of the two."""
    if one is None or other is None or max(len(one), len(other)) <= EXCERPT:
        return one and one[:EXCERPT], other and other[:EXCERPT]
    differ = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    begin = max(0, differ - EXCERPT // 4)
    dots = "..." if begin else ""
    return f"{dots}{one[begin : begin + EXCERPT]}", f"{dots}{other[begin : begin + EXCERPT]}"


@asynccontextmanager
async def open_snapshot(url: str) -> AsyncIterator[Connection]:
    """Open a read-only transaction, which sees one snapshot, on the database of a URL."""
    database = Database(url, pool_size=1, bounded=False)
    try:
        async with database.transaction() as connection:
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            await connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
            yield connection
    finally:
        await database.close()


async def check_facts(history: Callable[[str], History], facts: FactFilter) -> dict[str, object]:
    """Read all facts, and return what a rebuild leaves out: records without a valid signature, and unreadable ones.

    `missing` names topics that the broker does not have, as before the first start on a broker that came back empty.
    """
    read, missing = [history(topic) for topic in FACT_TOPICS], list[str]()
    for one in read:
        async with one as held:
            try:
                offsets = await held.offsets()
            except PermanentError as error:
                if error.code != ErrorCode.UNKNOWN_TOPIC:
                    raise
                missing.append(one.topic)
                continue
            async for records in held.read(offsets):
                deque(facts.select(records), maxlen=0)
    return {"left": facts.describe_left(), "unread": describe_unread(read), "missing": missing}


async def main() -> Mapping[str, object]:
    """Compare the two databases that the environment names. `left` and `unread` are None if no keys are given."""
    settings = load_settings(VerifySettings)
    rebuilt_url, live_url = settings.rebuilt_url.get_secret_value(), settings.live_url.get_secret_value()
    async with open_snapshot(rebuilt_url) as rebuilt, open_snapshot(live_url) as live:
        result = await Verify(rebuilt, live).run()
    if settings.fact_keys is None:
        return {**result, "left": None, "unread": None, "missing": None}
    keys, kafka = FactKeys.parse(settings.fact_keys.get_secret_value()), KafkaAccess.of(settings)
    history: Callable[[str], History] = partial(History, kafka, check_crcs=False)
    if settings.archive is not None:
        parts = await ArchivedParts.load(Archive(Objects.open(settings.archive), keys))
        history = partial(ArchivedHistory, kafka, parts=parts, check_crcs=False)
    return {**result, **await check_facts(history, FactFilter(keys))}


if __name__ == "__main__":
    process.run(main)
