"""Refuse a database that is older than the facts in Kafka, because it was lost, or restored from a backup.

On such a database, new transitions would take versions of jobs that published facts have, and agents would be called
again for executions that ended long ago.
"""

import logging
from collections.abc import Sequence
from typing import Final

from pydantic_core import from_json
from sqlalchemy import text

from contracts.events import AdministrationChanged, JobChanged
from contracts.signing import FactKey, FactKeys, Unvouched, is_marker
from contracts.topics import TOPIC_OF
from jobstore.engine.database import Database
from jobstore.engine.sql import Connection
from jobstore.recovery.fact_parsing import parse_fact
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import History, Record
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

_JOBS, _ADMINISTRATION = TOPIC_OF[JobChanged], TOPIC_OF[AdministrationChanged]
_PUBLISHED: Final = text("SELECT offsets::text, signers::text FROM relay WHERE id = 1")
_UNKNOWN: Final = text(
    """
    SELECT fact.job_id, fact.version
    FROM unnest(CAST(:jobs AS text[]), CAST(:versions AS bigint[]), CAST(:ids AS uuid[])) AS fact (job_id, version, id)
        LEFT JOIN job_logs l ON l.job_id = fact.job_id AND l.version = fact.version
    WHERE l.id IS DISTINCT FROM fact.id AND NOT EXISTS (
        SELECT FROM job_logs r WHERE r.job_id = fact.job_id AND r.kind = 'removed' AND r.version > fact.version) LIMIT 1
    """
)
_UNKNOWN_SETTINGS: Final = text(
    """
    SELECT fact.name, fact.seq FROM unnest(CAST(:names AS text[]), CAST(:seqs AS bigint[])) AS fact (name, seq)
        LEFT JOIN facts f ON f.seq = fact.seq AND f.key = fact.name
    WHERE f.seq IS NULL LIMIT 1
    """
)


async def refuse_older_database(kafka: KafkaAccess, database: Database, keys: FactKeys) -> None:
    """Raise PermanentError (`database_older_than_facts`) if the database lacks the entry of a published fact.

    TransientError: the topics cannot be read, or do not exist yet on a broker that has come back empty.
    """
    try:
        for topic in (_JOBS, _ADMINISTRATION):
            async with History(kafka, topic) as history:
                await check_age(database, history, keys)
    except PermanentError as error:
        if error.code == ErrorCode.UNKNOWN_TOPIC:
            raise TransientError(str(error), code=ErrorCode.KAFKA_UNAVAILABLE) from error
        raise


async def check_age(database: Database, history: History, keys: FactKeys) -> None:
    """Raise the errors of `refuse_older_database` for one topic.

    Only facts after the last one that the database knows as published are read: few, unless the database is older.
    Records that cannot be read, lack a valid signature, or are signed with a key that was replaced by then are ignored.
    """
    held, topic = await history.offsets(), history.topic
    async with database.session() as connection:
        published = (await connection.execute(_PUBLISHED)).one()
        offsets, signers = from_json(published.offsets), from_json(published.signers)
        signing = _find_signing(keys, signers)
        last = {number: offsets.get(f"{topic}/{number}", -1) for number in held}
        newer = {number: range(max(span.start, last[number] + 1), span.stop) for number, span in held.items()}
        async for records in history.read(newer):
            if not signers:  # this database has not published a fact yet, so that all records are of another
                _warn_of_strangers(records, keys)
            facts = [fact for r in records if _is_vouched_for(r, keys, signing) and (fact := _read(r))]
            if (lacking := await _find_lacking(connection, facts)) is not None:
                raise PermanentError(
                    f"the database is older than its facts: it lacks {lacking}, which stands in {topic}; "
                    "stop all jobstores and see docs/operations/backup.md",
                    code=ErrorCode.DATABASE_OLDER_THAN_FACTS,
                )


async def _find_lacking(connection: Connection, facts: Sequence[JobChanged | AdministrationChanged]) -> str | None:
    """Return the first version or setting among these facts that the database lacks, in words; None: it lacks none."""
    of_jobs = [fact for fact in facts if not isinstance(fact, AdministrationChanged)]
    columns = {"jobs": [f.job_id for f in of_jobs], "versions": [f.version for f in of_jobs]}
    for job_id, version in await connection.execute(_UNKNOWN, columns | {"ids": [f.log.id for f in of_jobs]}):
        return f"version {version} of the job {job_id}"
    settings = [fact for fact in facts if isinstance(fact, AdministrationChanged)]
    numbers = {"names": [f.name for f in settings], "seqs": [f.cursor for f in settings]}
    for name, _ in await connection.execute(_UNKNOWN_SETTINGS, numbers):
        return f"what administrators set of {name}"
    return None


def _read(record: Record) -> JobChanged | AdministrationChanged | None:
    try:
        if record.topic == _ADMINISTRATION:
            return AdministrationChanged.model_validate_json(record.value or b"")
        return parse_fact(record.value or b"").event
    except (ValueError, KeyError):
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.exception("a fact of ours cannot be read; it is passed over", extra=where)
        return None


def _find_signing(keys: FactKeys, signers: Sequence[str]) -> set[FactKey]:
    """Return the keys that may have signed new facts: that of the last of `signers`, if known, and all newer keys."""
    known = list(keys)
    names = [key.name for key in known]
    oldest = names.index(signers[-1]) if signers and signers[-1] in names else len(names)
    return set(known[: oldest + 1])


def _warn_of_strangers(records: Sequence[Record], keys: FactKeys) -> None:
    """Log how many of these records have no valid signature, if any lacks one."""
    if unvouched := sum(isinstance(keys.find_signer(each, dict(each.headers)), Unvouched) for each in records):
        log.warning(
            "nobody vouches for records that stand in job-changed before the first fact of this database: where a "
            "version before 0.2.0 wrote them, start with empty topics; else somebody else can write there",
            extra={"records": unvouched},
        )


def _is_vouched_for(record: Record, keys: FactKeys, signing: set[FactKey]) -> bool:
    return not is_marker(record) and keys.find_signer(record, dict(record.headers)) in signing
