"""Agents and circuits as rows: lock, load and write those of a transaction, list agents, and find candidates."""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Final

from prometheus_client import Counter
from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import case, func, select, text, tuple_

from contracts.agent_settings import format_settings, hash_settings
from jobstore.agents.rules import CLOSED, AgentChange, Agents, AgentsWish, Breaker, Candidate, Circuits, CircuitsWish
from jobstore.engine import sql
from jobstore.engine.database import Wake, notify
from jobstore.engine.facts import AGENTS
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Store
from jobstore.engine.sql import Connection, Row
from jobstore.executions.requesting import HISTORY_KINDS, HistoryRow, build_history
from jobstore.limits.store import is_agent_paused
from jobstore.schema import tables
from jobstore.schema.tables import agents, circuits
from jobstore.schema.tables import circuits as circuits_table
from signoff.jsontext import json_text
from signoff.status import Circuit
from signoff.types import Agent, AgentCard

log = logging.getLogger(__name__)

CIRCUITS = Counter("signoff_circuit_changes", "Circuits of agents that opened, again or anew, or closed", ["circuit"])

#: The columns of an agent, policy and headers as JSON text.
COLUMNS: Final = (
    "id, name, protocol, url, capabilities, policy::text AS policy, enabled, deterministic, headers::text AS headers, "
    "created_at, updated_at, version, settings::text AS settings, signing, tenant, shared"
)


def json_object(alias: str, *, with_settings: bool = True) -> str:
    """Return the SQL expression that makes the JSON of an agent, in the form of facts, from the row `alias`.

    The text of the settings stays as it is, by which they are hashed, with its nulls.
    """
    fields = (
        f"'{name}', {sql.time_text(f'{alias}.{name}') if kind == sql.TIME else f'{alias}.{name}'}"
        for name, kind in sql.columns(tables.agents, without=("settings",)).items()
    )
    rest = f"json_strip_nulls(json_build_object({', '.join(fields)}))"  # without spaces
    if not with_settings:
        return rest
    whole = f"""CAST(left({rest}::text, -1) || ',"settings":' || {alias}.settings::text || '}}' AS json)"""
    return f"CASE WHEN {alias}.settings::text = '{{}}' THEN {rest} ELSE {whole} END"


def to_agent(row: Row) -> Agent:
    """Return the agent in a row, which may have columns of the circuit, and has policy and headers as JSON text."""
    as_json = {name: from_json(row[name]) for name in ("policy", "headers", "settings")}
    return Agent.model_validate({**row, **as_json, "card": None})


def parse_all(texts: Iterable[str]) -> dict[str, Agent]:
    """Return agents by id, parsed from the JSON texts of their rows."""
    return {agent.id: agent for agent in map(Agent.model_validate_json, texts)}


#: The load is counted along the index on agent_id, up to LIMIT. With `agent_id = a.id` the planner would collect all
#: live executions of an agent first, however many are queued.
_CANDIDATES: Final = text(
    f"""
    SELECT {COLUMNS},
        NOT EXISTS (SELECT FROM circuits c WHERE c.agent_id = a.id AND c.open_until IS NOT NULL) AS circuit_closed,
        (SELECT count(*) FILTER (WHERE live.agent_id = a.id) FROM (
            SELECT agent_id FROM executions e WHERE e.agent_id >= a.id AND e.state <> 'DONE'
            ORDER BY agent_id LIMIT :load_max) AS live) AS load
    FROM agents a
    WHERE a.enabled AND a.capabilities && (CAST(:capabilities AS text[]) || ARRAY(
        SELECT unnest(capabilities) FROM jobs WHERE id = ANY(CAST(:job_ids AS text[]))))
        AND NOT {is_agent_paused("a.id")}
    """  # noqa: S608 - words of our own
)
_WAITING: Final = text(
    """
    SELECT j.id, j.version, j.tenant, j.capabilities, (
        SELECT l.message FROM job_logs l WHERE l.job_id = j.id AND l.kind = 'matching_failed'
        ORDER BY l.version DESC LIMIT 1) AS missing
    FROM jobs j WHERE j.status = 'PENDING' AND j.capabilities <> '{}' AND j.id > :after ORDER BY j.id LIMIT :limit
    """
)
_HISTORIES: Final = text(
    """
    SELECT l.job_id, l.kind, l.agent_id, e.result_hash
    FROM job_logs l LEFT JOIN executions e ON e.execution_id = l.execution_id
    WHERE l.job_id = ANY(CAST(:ids AS text[])) AND l.kind = ANY(CAST(:kinds AS text[])) AND NOT (l.kind = 'not_met'
        AND EXISTS (SELECT FROM job_logs r WHERE r.job_id = l.job_id AND r.version > l.version
            AND r.execution_id = l.execution_id AND r.kind = 'rejudged'))
    ORDER BY l.job_id, l.version
    """
)


async def find_with_any(
    connection: Connection, capabilities: Collection[str], *, job_ids: Collection[str] = (), load_max: int = 0
) -> list[tuple[Agent, Candidate]]:
    """Return enabled agents, not paused, that have any of `capabilities`, or any that a job in `job_ids` needs.

    Each agent comes with its candidate, whose load is counted up to `load_max`.
    """
    parameters = {"capabilities": sorted(capabilities), "job_ids": sorted(job_ids), "load_max": load_max}
    return [(to_agent(row), _make_candidate(row)) for row in await connection.execute(_CANDIDATES, parameters)]


def _make_candidate(row: Row) -> Candidate:
    tenant = None if row.shared else row.tenant
    return Candidate(row.id, frozenset(row.capabilities), row.circuit_closed, row.load, tenant)


async def find_waiting_jobs(connection: Connection, after: str, limit: int) -> Sequence[Row]:
    """Return up to `limit` jobs that wait for an agent, by id, after `after`.

    A row has (id, version, tenant, capabilities, missing): `missing` is the message of the last MATCHING_FAILED entry.
    """
    return await connection.execute(_WAITING, {"after": after, "limit": limit})


_AGENT: Final = sql.columns(tables.agents)
_LOCK_AGENTS: Final = text(
    f"SELECT {COLUMNS} FROM agents "  # noqa: S608 - names of our own
    "WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR NO KEY UPDATE"
)
_INSERT_AGENT: Final = sql.insert("agents", _AGENT)
_UPDATE_AGENT: Final = text(sql.update("agents", _AGENT, key="id"))
_ADD_AGENT: Final = text(
    f"""
    WITH added AS (
        INSERT INTO facts (seq, topic, key, body)
        SELECT number, '{AGENTS}', id, json_build_object('agent_id', id, 'cursor', number, 'agent',
            {json_object("numbered")}, 'actor', CAST(:actor AS text))
        FROM (SELECT nextval('job_logs_seq_seq') AS number, * FROM agents WHERE id = :id) AS numbered
    )
    SELECT {notify(Wake.RECORDED | Wake.AGENTS)}
    """  # noqa: S608 - names of our own
)
_KEEP_SETTINGS: Final = text(
    "INSERT INTO agent_settings (hash, body) VALUES (:hash, CAST(CAST(:body AS text) AS json)) ON CONFLICT DO NOTHING"
)
_READ_AGENTS: Final = text(
    f"SELECT {COLUMNS} FROM agents WHERE id = ANY(CAST(:ids AS text[]))"  # noqa: S608 - names of our own
)
#: Up to this number live executions of an agent are counted, which bounds the query; beyond it agents are equal.
LOAD_MAX: Final = 1_000


class AgentsStore(Store):
    """Lock the agents that commands change, read other agents, and write changed agents with their facts."""

    part, wish = Agents, AgentsWish

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock agents in the order of their ids. Agents that are only read come with the executions, or later."""
        if locked := asked[AgentsWish].locked:
            for row in await connection.execute(_LOCK_AGENTS, {"ids": sorted(locked)}):
                uow[Agents].agents.stored[row.id] = to_agent(row)

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load agents to be read, candidates for jobs, and the histories of jobs' agents."""
        wish, agents = asked[AgentsWish], uow[Agents]
        stored = agents.agents.stored
        if wish.histories:
            rows_of: dict[str, list[HistoryRow]] = {job_id: [] for job_id in wish.histories}
            asked_for = {"ids": sorted(rows_of), "kinds": [kind.value for kind in HISTORY_KINDS]}
            for row in await connection.execute(_HISTORIES, asked_for):
                rows_of[row.job_id].append(HistoryRow(row.kind, row.agent_id, row.result_hash))
            agents.histories |= {job_id: build_history(rows) for job_id, rows in rows_of.items()}
        if missing := wish.read - stored.keys():
            for row in await connection.execute(_READ_AGENTS, {"ids": sorted(missing)}):
                stored[row.id] = to_agent(row)
            agents.unknown |= missing - stored.keys()
        if wish.capabilities or wish.match_jobs:
            found = await find_with_any(connection, wish.capabilities, job_ids=wish.match_jobs, load_max=LOAD_MAX)
            for agent, candidate in found:
                stored[agent.id], agents.candidates[agent.id] = agent, candidate

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write changed agents, each with the fact of its change, in the order of the commands."""
        for change in uow[Agents].changes:
            await _write_agent(connection, change)


async def _write_agent(connection: Connection, change: AgentChange) -> None:
    """Insert or update an agent, and store its fact. RaceError: another transaction has inserted the same agent."""
    agent = change.agent
    row = {
        **agent.model_dump(include=set(_AGENT)),
        "protocol": agent.protocol.value,
        "policy": agent.policy.model_dump_json(exclude_none=True),
        "headers": json_text(agent.headers),
        "settings": format_settings(agent.settings),
    }
    if agent.settings:
        await connection.execute(_KEEP_SETTINGS, {"hash": hash_settings(agent.settings), "body": row["settings"]})
    statement = _INSERT_AGENT if change.is_new else _UPDATE_AGENT
    await connection.execute(statement, sql.arrays(_AGENT, "u", [row]))
    await connection.execute(_ADD_AGENT, {"id": agent.id, "actor": change.actor})


_CIRCUIT: Final = sql.columns(circuits)
#: A circuit that opened, again or anew, or closed.
_SWITCHED: Final = {name: _CIRCUIT[name] for name in ("agent_id", "open_until")}
_LOCK: Final = text(
    f"SELECT {', '.join(_CIRCUIT)} FROM circuits "  # noqa: S608 - names of our own
    "WHERE agent_id = ANY(CAST(:ids AS text[])) ORDER BY agent_id FOR UPDATE"
)
#: A statement of its own, since the one that waits for the lock has an older snapshot, without the present probe.
#: `|| ''` leaves only the index of the ids to the planner.
_PROBING: Final = text(
    "SELECT execution_id FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) "
    "AND stage || '' = 'EXECUTING' AND state || '' IN ('OFFERED', 'LEASED')"
)
_WRITE: Final = text(
    f"""
    WITH closed AS (DELETE FROM circuits WHERE agent_id = ANY(CAST(:closed AS text[]))),
    updated AS ({sql.update("circuits", _CIRCUIT, key="agent_id", alias="m")}),
    inserted AS ({sql.insert("circuits", _CIRCUIT, order="agent_id", alias="n").text}),
    kept AS (
        INSERT INTO circuit_changes (agent_id, at, open_until)
        SELECT agent_id, signoff_now(), open_until FROM {sql.unnest("s", _SWITCHED)} ORDER BY agent_id
        ON CONFLICT (agent_id, at) DO UPDATE SET open_until = excluded.open_until
    )
    SELECT {notify(Wake.QUEUED)}
    """  # noqa: S608 - names of our own
)


class CircuitsStore(Store):
    """Lock circuits after all other rows, and write the circuits that changed."""

    part, wish, is_last = Circuits, CircuitsWish, True

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock the stored circuits of agents, in the order of their ids, if any circuit is stored."""
        circuits = uow[Circuits]
        if not circuits.are_stored:
            return
        rows = await connection.execute(_LOCK, {"ids": sorted(asked[CircuitsWish].agents)})
        probes = [row.probe_id for row in rows if row.probe_id is not None]
        probing = set(await connection.scalars(_PROBING, {"ids": probes})) if probes else set()
        for row in rows:
            breaker = Breaker(row.failures, row.opened, row.open_until, row.probe_id, row.probe_id in probing)
            circuits.circuits.stored[row.agent_id] = breaker

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write circuits that differ from their stored rows. RaceError: another transaction has inserted one."""
        stored, changes = uow[Circuits].circuits.stored, uow[Circuits].circuits.changes
        changed = {each: breaker for each, breaker in changes.items() if breaker != (stored.get(each) or CLOSED)}
        if not changed:
            return
        closed = [agent_id for agent_id, breaker in changed.items() if breaker == CLOSED]
        rows = [{"agent_id": agent_id} | asdict(breaker) for agent_id, breaker in changed.items() if breaker != CLOSED]
        updated = [row for row in rows if row["agent_id"] in stored]
        inserted = [row for row in rows if row["agent_id"] not in stored]
        switched = [
            {"agent_id": each, "open_until": breaker.open_until}
            for each, breaker in changed.items()
            if breaker.open_until != (stored.get(each) or CLOSED).open_until
        ]
        arrays = sql.arrays(_CIRCUIT, "m", updated) | sql.arrays(_CIRCUIT, "n", inserted)
        arrays |= sql.arrays(_SWITCHED, "s", switched)
        await connection.execute(_WRITE, {"closed": closed, **arrays})

    def settle(self, uow: UnitOfWork) -> None:
        """Log and count the circuits that opened or closed in a transaction."""
        for agent_id, breaker in uow[Circuits].switched:
            circuit, until = breaker.circuit_at(uow.clock.now).value, breaker.open_until
            CIRCUITS.labels(circuit).inc()
            about = {"agent_id": agent_id, "circuit": circuit, "open_until": until}
            log.warning("an agent's circuit changed", extra=about)


_STATE_COLUMNS: Final = (
    case(
        (circuits_table.c.open_until.is_(None), Circuit.CLOSED.value),
        (circuits_table.c.open_until > func.signoff_now(), Circuit.OPEN.value),
        else_=Circuit.HALF_OPEN.value,
    ).label("circuit"),
    circuits_table.c.open_until.label("circuit_open_until"),
    text(f"{is_agent_paused('agents.id')} AS paused"),
)


async def get_agent(connection: Connection, agent_id: str) -> Agent | None:
    """Return the agent with this id and the state of its circuit, or None if no agent has the id."""
    found, _ = await list_agents(connection, limit=1, agent_id=agent_id)
    return found[0] if found else None


async def list_agents(
    connection: Connection, *, limit: int, after: tuple[str, str] | None = None, agent_id: str | None = None
) -> tuple[list[Agent], bool]:
    """Return up to `limit` agents by (name, id), after the place `after`, and whether they were too large for more.

    With `agent_id`, that agent alone; else call within a transaction.
    """
    columns = [column for column in agents.c if column.name not in {"policy", "headers", "settings"}]
    as_text = text(
        "policy::text AS policy, headers::text AS headers, settings::text AS settings, "
        "(SELECT row_to_json(c)::text FROM agent_cards c WHERE c.agent_id = agents.id) AS card"
    )
    query = select(*columns, *_STATE_COLUMNS, as_text).outerjoin_from(agents, circuits_table)
    query = query.order_by(agents.c.name, agents.c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(agents.c.name, agents.c.id) > tuple_(*after))
    if agent_id is not None:
        query = query.where(agents.c.id == agent_id)
    rows, is_cut = await sql.fetch_page(connection, query, bodies=agent_id is None)
    return [to_agent(row).model_copy(update={"card": _read_card(row.card)}) for row in rows], is_cut


def _read_card(text: str | None) -> AgentCard | None:
    """Return the card in a row as JSON text; what an executor said of it that is no card is left out."""
    if text is None:
        return None
    row = from_json(text)
    read = {name: row[name] for name in ("read_at", "code", "message", "changed_at")}
    try:
        card = AgentCard.model_validate({**(row["card"] or {}), **read})
        before = None if row["before"] is None else AgentCard.model_validate({**row["before"], **read})
    except (TypeError, ValidationError):
        return AgentCard.model_validate(read)
    return card if before is None else card.model_copy(update={"changes": _compare(before, card)})


def _compare(before: AgentCard, card: AgentCard) -> list[str]:
    """Say how a card differs from the one before it, a text for each change."""
    changes = []
    for name in ("name", "description", "version", "url", "binding", "lists_tasks"):
        was, now = getattr(before, name), getattr(card, name)
        if was != now:
            changes.append(f"{name.replace('_', ' ')}: {_show(now)}, was {_show(was)}")
    had, has = ({skill.id: skill for skill in each.skills} for each in (before, card))
    for skill_id in sorted(had.keys() | has.keys()):
        if had.get(skill_id) != has.get(skill_id):
            change = "new" if skill_id not in had else "gone" if skill_id not in has else "described otherwise"
            changes.append(f"skill {skill_id}: {change}")
    return changes


def _show(value: str | bool) -> str:
    return {True: "yes", False: "no", "": "none"}.get(value) or str(value)
