"""Find what jobs asked for before later edits: a fact that is published late must not show them.

However often a job was edited meanwhile, little is read: of each field the first edit after the last of its facts here,
found by the names in the edits' messages. What lies between is in the facts themselves.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import text

from contracts.resources import JobPatch
from jobstore.domain.model import TransitionKind
from jobstore.json_members import members
from jobstore.storage.sql import Connection, Row

#: The payload stands in the entry itself, wherever its fact tells it.
_FIELDS: Final = JobPatch.model_fields.keys() - {"payload"}
_PREFIX: Final = "edited: "
_NEXT_EDIT: Final = text(
    """
    SELECT request_payload::text AS request, version FROM job_logs
    WHERE job_id = :job_id AND version > :version AND kind = 'edited'
        AND string_to_array(substr(message, :begin), ', ') && CAST(:names AS text[])
    ORDER BY version LIMIT 1
    """,
)


async def find_reverted(session: Connection, rows: Sequence[Row]) -> Mapping[int, Mapping[str, str]]:
    """Return by number what is to be told of a job instead of what it asks for now, as JSON texts by field.

    `rows` are all entries of some span, in order.
    """
    reverted: dict[int, Mapping[str, str]] = {}
    of_jobs = defaultdict[str, list[Row]](list)
    for row in rows:
        of_jobs[row.job_id].append(row)
    for entries in of_jobs.values():
        if entries[0].is_edited_later:
            before = await _find_before_edits(session, entries[-1])
            for row in reversed(entries):
                reverted[row.seq] = before
                if row.kind == TransitionKind.EDITED:
                    before = {**before, **members(members(row.request)["before"])}
    return reverted


async def _find_before_edits(session: Connection, row: Row) -> Mapping[str, str]:
    """Return each field that edits after an entry changed, as it was before the first of them."""
    found: dict[str, str] = {}
    names = set(_FIELDS) if row.is_edited_later else set()
    while names:
        parameters = {"job_id": row.job_id, "version": row.version, "begin": len(_PREFIX) + 1, "names": sorted(names)}
        edit = (await session.execute(_NEXT_EDIT, parameters)).one_or_none()
        if edit is None:
            break
        before = members(members(edit.request)["before"])
        found |= {name: before[name] for name in names & before.keys()}
        names -= before.keys()
    return found
