"""Read versions of judge policies and criteria sets, and note by what validators judge."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from contracts.judging.policy import split_reference
from jobstore.domain.judging.versions import Kind, Named, Version, Versions, Wanted
from jobstore.domain.model import ExecutionStage
from jobstore.storage.room import is_alive
from jobstore.storage.sql import Connection
from signoff.jsontext import json_text

#: A reference without a version means the one that is current, and nothing where the name is retired.
_VERSIONS: Final = text(
    """
    SELECT w.kind, w.reference, v.name, v.version, v.body, m.version IS NULL AS is_retired
    FROM unnest(CAST(:kinds AS text[]), CAST(:references AS text[]), CAST(:names AS text[]), CAST(:versions AS int[]))
            AS w(kind, reference, name, version)
        CROSS JOIN LATERAL (SELECT version FROM judging_moves
            WHERE kind = w.kind AND name = w.name ORDER BY move DESC LIMIT 1) AS m
        JOIN judging_versions v ON v.kind = w.kind AND v.name = w.name AND v.version = coalesce(w.version, m.version)
    """,
)
_NAMES: Final = text(
    """
    SELECT n.kind, n.name, v.version, sha256(convert_to(v.body, 'UTF8')) AS hash, m.version AS current,
        coalesce(m.move, 0) AS moves,
        (SELECT count(*) FROM judging_moves first WHERE first.kind = n.kind AND first.move = 1) AS names
    FROM unnest(CAST(:kinds AS text[]), CAST(:names AS text[])) AS n(kind, name)
        LEFT JOIN LATERAL (SELECT version, move FROM judging_moves
            WHERE kind = n.kind AND name = n.name ORDER BY move DESC LIMIT 1) AS m ON true
        LEFT JOIN judging_versions v ON v.kind = n.kind AND v.name = n.name
    """,
)
_NOTE_VALIDATOR: Final = text(
    """
    INSERT INTO workers (owner, stage, room, seen_at, judge, judge_keys)
    VALUES (:owner, 'JUDGING', 0, signoff_now(), :judge, CAST(CAST(:keys AS text) AS json))
    ON CONFLICT (owner) DO UPDATE SET judge = excluded.judge, judge_keys = excluded.judge_keys
    """,
)
_VALIDATORS: Final = text(
    f"""
    SELECT owner, judge, CAST(judge_keys AS text) AS keys, seen_at FROM workers
    WHERE {is_alive(ExecutionStage.JUDGING)} ORDER BY seen_at DESC, owner LIMIT :limit
    """,  # noqa: S608 - words of our own
)


async def load_versions(connection: Connection, wanted: Collection[Wanted]) -> dict[Wanted, Version | None]:
    """Return the versions that references name, of those that are known."""
    split = [(each, *split_reference(each.reference)) for each in wanted]
    parameters = {
        "kinds": [each.kind.value for each, _, _ in split],
        "references": [each.reference for each, _, _ in split],
        "names": [name for _, name, _ in split],
        "versions": [version for _, _, version in split],
    }
    return {
        Wanted(Kind(row.kind), row.reference): Version(row.name, row.version, row.body, row.is_retired)
        for row in await connection.execute(_VERSIONS, parameters)
    }


async def load_names(connection: Connection, names: Collection[Named]) -> dict[Named, Versions]:
    """Return all that is known of names."""
    parameters = {"kinds": [each.kind.value for each in names], "names": [each.name for each in names]}
    found: dict[Named, Versions] = {}
    for row in await connection.execute(_NAMES, parameters):
        named = Named(Kind(row.kind), row["name"])
        known = found.get(named) or Versions({}, row.current, row.moves, row.names)
        hashes = known.hashes if row.version is None else {**known.hashes, row.version: row.hash}
        found[named] = Versions(hashes, row.current, row.moves, row.names)
    return found


class Validator(NamedTuple):
    """A validator that was heard of: the version of `default` that it is set to, and base URLs by names of keys.

    `judge` is empty where it has not said, as one that has just begun.
    """

    owner: UUID
    judge: str
    keys: Mapping[str, Sequence[str]]


async def note_validator(connection: Connection, owner: UUID, judge: str, keys: Mapping[str, Sequence[str]]) -> None:
    """Note what a validator has said that it is set to."""
    await connection.execute(_NOTE_VALIDATOR, {"owner": owner, "judge": judge, "keys": json_text(keys)})


async def list_validators(connection: Connection, alive_s: float, limit: int) -> list[Validator]:
    """Return validators that are alive, the last heard of first."""
    rows = await connection.execute(_VALIDATORS, {"alive_s": alive_s, "limit": limit})
    return [Validator(row.owner, row.judge or "", from_json(row["keys"] or "{}")) for row in rows]
