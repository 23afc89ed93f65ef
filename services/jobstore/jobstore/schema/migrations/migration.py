"""Bring the tables up to date: a process at a time, a revision after the other, and with progress in the log."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from jobstore.engine.locks import Lock
from jobstore.schema.migrations.versions import REVISIONS
from jobstore.schema.tables import APPEND_ONLY, metadata
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

#: The settings of a session that migrates, over those of the role, the database and the services: a revision may read
#: and write whole tables, which takes unknown time.
SESSION: Final = {
    "application_name": "signoff-migration",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
#: Seconds between two lines of the log while something takes long.
TELL_S = 10.0

_TAKE_TURN: Final = text("SELECT pg_try_advisory_lock(:lock)").bindparams(lock=Lock.MIGRATION)
_HOLDER: Final = text(
    "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE locktype = 'advisory' AND objid = :lock AND granted AND datname = current_database()"
).bindparams(lock=Lock.MIGRATION)


_IS_MADE: Final = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_OF_TABLES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
#: Whether a role has each of some privileges.
_PRIVILEGES: Final = text(
    "SELECT name, privilege, has_table_privilege(:role, name, privilege) AS is_granted "
    "FROM unnest(CAST(:names AS text[]), CAST(:privileges AS text[])) AS each (name, privilege)"
)
_SEQUENCES: Final = text(
    "SELECT sequencename FROM pg_sequences "
    "WHERE schemaname = current_schema() AND (NOT has_sequence_privilege(:role, sequencename, 'USAGE') "
    "OR NOT has_sequence_privilege(:role, sequencename, 'SELECT'))"
)


def list_privileges() -> Iterator[tuple[str, str]]:
    """Yield the tables, each with each privilege that a jobstore needs on it."""
    for table in metadata.tables:
        yield from ((table, privilege) for privilege in ("SELECT", "INSERT"))
        if table not in APPEND_ONLY:
            yield from ((table, privilege) for privilege in ("UPDATE", "DELETE"))


class Migration:
    """Migrate the tables from one process, and log its progress."""

    def __init__(self, grantee: str | None = None) -> None:
        """`grantee`: the role of the jobstores, if it is not the owner, but is granted what it needs."""
        self._grantee = grantee
        self._doing: dict[str, object] = {}
        self._began = time.monotonic()

    def run(self, connection: Connection) -> bool:
        """Apply what is missing. Return False, at once, while another process migrates.

        PermanentError (`unknown_revision`): the tables are of a version that is not known here.

        The lock is not waited for within PostgreSQL: a statement that waits has a snapshot, for which an index that
        is made CONCURRENTLY would wait in turn. The lock ends with the session.
        """
        if not connection.scalar(_TAKE_TURN):
            self._enter(doing="wait for another process that migrates", pid=connection.scalar(_HOLDER))
            return False
        if pending := _find_pending(connection):
            self._apply(connection, pending)
        if self._grantee is not None:
            _grant(connection, self._grantee)
        return True

    def _apply(self, connection: Connection, pending: Sequence[str]) -> None:
        # Heavy, and not needed by most starts.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", "jobstore:schema/migrations")
        config.attributes["connection"] = connection
        scripts = ScriptDirectory.from_config(config)
        for revision in pending:
            connection.commit()  # what was read: Alembic begins, and commits, a transaction of its own
            self._enter(doing="migrate", revision=revision, change=scripts.get_revision(revision).doc)
            command.upgrade(config, revision)
            self._tell("a migration is done")

    async def tell(self, every_s: float) -> None:
        """Log the current revision now and then, for ever, and since when it runs."""
        while True:
            await asyncio.sleep(every_s)
            self._tell("the database is being migrated")

    def _enter(self, **doing: object) -> None:
        if doing != self._doing:
            self._doing, self._began = doing, time.monotonic()
            self._tell("the database is to be migrated")

    def _tell(self, message: str) -> None:
        seconds = time.monotonic() - self._began
        since = datetime.now(UTC) - timedelta(seconds=seconds)
        times = {"since": since.isoformat(timespec="seconds"), "seconds": round(seconds, 1)}
        log.info(message, extra=self._doing | times)


def _grant(connection: Connection, role: str) -> None:
    """Grant a role what it needs on the tables, and no more.

    Nothing is executed that is granted already, since each change would let all sessions make their plans anew.
    """
    needed = {*list_privileges(), ("alembic_version", "SELECT")}  # a checkpoint names the revision of its tables
    pairs = sorted({(table, privilege) for table in metadata.tables for privilege in _OF_TABLES} | needed)
    asked = {"role": role, "names": [name for name, _ in pairs], "privileges": [each for _, each in pairs]}
    for name, privilege, is_granted in connection.execute(_PRIVILEGES, asked).all():
        if is_granted is not ((name, privilege) in needed):
            change = f'REVOKE {privilege} ON "{name}" FROM' if is_granted else f'GRANT {privilege} ON "{name}" TO'
            connection.exec_driver_sql(f'{change} "{role}"')
    for (name,) in connection.execute(_SEQUENCES, {"role": role}).all():
        connection.exec_driver_sql(f'GRANT USAGE, SELECT ON SEQUENCE "{name}" TO "{role}"')
    connection.commit()


def _find_pending(connection: Connection) -> Sequence[str]:
    """Return the revisions that the database lacks, the oldest first. PermanentError: its own is unknown here."""
    has = connection.scalar(_REVISION) if connection.scalar(_IS_MADE) else None
    if has is not None and has not in REVISIONS:
        raise PermanentError(
            f"the database holds tables of another version of this jobstore (revision {has}): start the version that "
            "made them, or start with an empty database and empty topics (docs/operations/upgrading.md)",
            code=ErrorCode.UNKNOWN_REVISION,
        )
    return REVISIONS[REVISIONS.index(has) + 1 :] if has is not None else REVISIONS
