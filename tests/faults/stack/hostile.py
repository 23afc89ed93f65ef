"""A hostile tenant with tokens of each of its roles, which does all that it may, and tries all that it may not."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count, cycle
from pathlib import Path
from random import Random
from typing import IO, Any, Final, TypeVar
from uuid import UUID

import aiohttp
import grpc
from access.credentials import Credential
from access.doors import Answer, Door, list_routes
from access.things import Things
from access.walk import list_rpcs
from support.jobstore import foreign

from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.resources import NewAgent, NewJob, Policy
from contracts.signing import KeyUse
from faults.checking.canaries import CANARY, HOSTILE, KEY_HEADER, PRESS, find_ids, find_words, name_words
from faults.checking.observed import FORGED, Heard, Hostility, Revoked
from faults.stack.crowd import AGAIN
from faults.stack.hostile_agents import HABITS
from faults.stack.upstreams import SECRETS, sign
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.publisher import Outgoing, Publisher, to_record
from signoff import AsyncClient, SignoffError
from signoff.connection import UnauthenticatedError
from signoff.status import ReportKind, Role, View
from signoff.tls import Tls, watch_pem

#: The roles of its tokens; those of services are of all tenants, and nobody gives them to one.
ROLES: Final = (Role.VIEWER, Role.OPERATOR, Role.REVIEWER, Role.ADMINISTRATOR, Role.UPSTREAM)
#: Seconds between two tries of each role, two floods, records, registrations, revocations and looks at metrics.
TRY_S, FLOOD_S, RECORD_S, AGENT_S, REVOKE_S, LOOK_S, AGAIN_S = 0.3, 1.0, 0.4, 0.5, 4.0, 5.0, 0.5
#: The most agents that it registers for nothing; and how many watches go on from now, for one from the beginning.
AGENTS_MAX, FRESH = 200, 4
#: Seconds for which a door is waited for, streams to open, a token used after its revocation, and its streams to end.
DOOR_S, OPENS_S, USED_S, ENDS_S = 20.0, 5.0, 3.0, 8.0
MESSAGE_MAX_BYTES = 16 << 20
CRITERIA = f'Says "blue"\nIs of {HOSTILE}'
#: Agents of `default`, which all tenants share.
SHARED = ("steady", "slow", "flaky")
Made = TypeVar("Made")
_READS = ("Get", "List", "Count", "Explain", "Watch", "Preview", "Export")
#: What comes of a part that is away, and of what it may not.
_MET = (SignoffError, grpc.aio.AioRpcError, aiohttp.ClientError, TransientError, PermanentError, OSError)


@dataclass(frozen=True, slots=True)
class Victim:
    """What somebody may know of an honest job, as by a look over a shoulder."""

    job_id: str
    execution_id: str
    operation_id: str
    agent_id: str = f"{PRESS}:{CANARY}-steady"

    @property
    def things(self) -> Things:
        """Its ids, by all names that doors have for them."""
        tenant = PRESS if self.job_id.startswith(f"{PRESS}:") else "default"
        of_tenant = {
            **dict.fromkeys(("criteria_set", "set"), f"{tenant}.{CANARY}-set"),
            **dict.fromkeys(("judge", "policy"), f"{tenant}.{CANARY}-judge"),
            "limit": f"tenant:{tenant}",
            "tenant": tenant,
            "token": f"{CANARY}-token",
        }
        return Things({**of_tenant, **_name(self), "version": 1})


@dataclass(frozen=True, slots=True)
class Own(Victim):
    """A job of its own; what is about more than a job is about what its other jobs do not need."""

    @property
    def things(self) -> Things:
        """Its ids, likewise."""
        spare = {"limit": f"agent:{HOSTILE}:spare", "tenant": HOSTILE, "token": f"{HOSTILE}-spare", "version": 1}
        names = dict.fromkeys(("criteria_set", "set", "judge", "policy"), f"{HOSTILE}.own")
        return Things({**names, **_name(self), **spare})


def _name(known: Victim) -> dict[str, str]:
    others = ("try_id", "judgings_id", "evaluation", "session_id", "try", "judgings", "key")
    return {
        **dict.fromkeys(("job_id", "job", "waiting"), known.job_id),
        **dict.fromkeys(("execution_id", "execution", "queued"), known.execution_id),
        **dict.fromkeys(("operation_id", "operation", "batch"), known.operation_id),
        **dict.fromkeys(("agent_id", "agent"), known.agent_id),
        **dict.fromkeys(others, known.execution_id),
    }


class Search(Door):
    """A call that reads, in one of the ways in which it may be asked."""

    def __init__(self, method: str, template: Mapping[str, Any], channel: grpc.aio.Channel) -> None:
        self.name, self.access = f"{method} {json.dumps(template)}", None
        self._method, self._template, self._channel = method, template, channel

    async def ask(self, credential: Credential, things: Things) -> Answer:
        """Call with a credential about some things."""
        fields = foreign.Things({name: str(value) for name, value in things.ids.items()}).fill(self._template)
        said = await foreign.ask(self._channel, self._method, fields, credential.secret or "")
        return Answer("ok" if said.startswith("{") or not said else said.rpartition(" ")[2], said)


def list_doors(channel: grpc.aio.Channel) -> list[Door]:
    """Return the doors of a jobstore: each RPC, and each that reads in all ways that a caller may ask."""
    reads = {name: method for name, method in foreign.find_methods().items() if name.startswith(_READS)}
    searches = [
        Search(method, template, channel) for name, method in reads.items() for template in foreign.REQUESTS[name]
    ]
    return [*list_rpcs(channel), *searches]


@dataclass(slots=True)
class Ears:
    """Keep all that the tenant is told: as it is in a file, and what of it is others' in memory."""

    seen: Hostility = field(default_factory=Hostility)
    kept: IO[str] | None = None
    _ids: set[str] = field(default_factory=set)

    def hear(self, by: str, caller: str, code: str, text: str) -> None:
        """Note what was told, by which door, and to whom."""
        self.seen.answers[f"{by.partition(' {')[0]}: {code}"] += 1
        self.seen.told += len(text)
        if self.kept is not None:
            self.kept.write(json.dumps([time.time(), by, caller, code, text]) + "\n")
        words, ids = find_words(text, self.seen.named), find_ids(text, self.seen.named) - self._ids
        self._ids |= ids
        if words or ids:
            self.seen.heard.append(Heard(by, caller, time.time(), code, tuple(words), ids))

    def name(self, text: object) -> None:
        """Note the words and ids that the tenant names itself, and may be told again."""
        self.seen.named |= name_words(str(text))


@dataclass(slots=True)
class Hostile:
    """The tenant. `choose` says what it knows of an honest job, and None while there is none."""

    #: Makes the tenant and its tokens.
    bootstrap: AsyncClient
    #: By name, each jobstore, and the URL of each console.
    jobstores: Mapping[str, AsyncClient]
    consoles: Mapping[str, str]
    http: aiohttp.ClientSession
    doors: Sequence[Door]
    choose: Callable[[Random], Victim | None]
    ears: Ears
    seed: int
    #: Where its agents are, and those of others; empty: none of its jobs is executed.
    agents_url: str = ""
    publisher: Publisher | None = None
    #: Jobs that it asks for each second; and how many times as long as usual it waits between two of what it does.
    flood: int = 3
    pace: float = 1.0
    #: By process, the address of its metrics, which need no credential.
    metrics: Mapping[str, str] = field(default_factory=dict)
    _tokens: dict[Role, tuple[str, str]] = field(default_factory=dict)
    _ended: list[tuple[str, str]] = field(default_factory=list)
    _own: list[Own] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    async def prepare(self, slow: int) -> None:
        """Register the tenant, make its tokens and agents, and ask for many jobs of a slow one."""
        await _until_ended(lambda: self.bootstrap.create_tenant(name=HOSTILE))
        for role in ROLES:
            self._tokens[role] = await _until_answered(partial(self._make_token, role))
        await self._make_own([self._make_job(f"{HOSTILE}:spare")])
        if self.agents_url:
            operator = self._as(Role.OPERATOR)
            paths = {**{habit: f"hostile/{habit}" for habit in HABITS}, "thief": f"{PRESS}/steady"}
            for name, path in paths.items():
                await _until_answered(partial(operator.create_agent, self._make_agent(name, path)))
            await self._make_own([self._make_job(f"{HOSTILE}:slow") for _ in range(slow)])

    async def run(self) -> None:
        """Do all of it, for ever."""
        async with asyncio.TaskGroup() as group:
            for what, every_s, do in self._list_doings():
                group.create_task(self._repeat(what, every_s, do))

    def _list_doings(self) -> Iterator[tuple[str, float, Callable[[Random], Awaitable[None]]]]:
        jobstores, consoles = cycle(self.jobstores.items()), cycle(self.consoles.items())
        for role in ROLES:
            yield f"tries of {role}", TRY_S, partial(self._try, role)
            yield f"watch of {role}", AGAIN_S, partial(self._watch, *next(jobstores), role)
            yield f"events of {role}", AGAIN_S, partial(self._follow, *next(consoles), role)
        yield "revocations", REVOKE_S, self._revoke
        yield "counts", LOOK_S, self._count
        yield "metrics", LOOK_S, self._look
        if self.agents_url:
            yield "floods", FLOOD_S, self._flood
            yield "agents", AGENT_S, self._register
        if self.publisher is not None:
            yield "records", RECORD_S, self._write

    async def _repeat(self, what: str, every_s: float, do: Callable[[Random], Awaitable[None]]) -> None:
        random = Random(f"{HOSTILE}/{self.seed}/{what}")
        while True:
            with suppress(*_MET):
                await do(random)
            await asyncio.sleep(every_s * self.pace)

    def _as(self, role: Role, client: AsyncClient | None = None) -> AsyncClient:
        return (client or next(iter(self.jobstores.values()))).with_token(self._tokens[role][1])

    async def _make_token(self, role: Role) -> tuple[str, str]:
        name = f"{HOSTILE}-{role.value}-{next(self._numbers)}"
        made = await self.bootstrap.create_token(name=name, role=role.value, tenants=[HOSTILE])
        return name, made.secret

    async def _try(self, role: Role, random: Random) -> None:
        """Try one door, about something of others or of its own."""
        door, own = random.choice(self.doors), random.random() < 0.3
        known = random.choice(self._own) if own else self.choose(random)
        if known is None or (own and "ause" in door.name):  # what it pauses keeps nobody waiting
            return
        self.ears.name(known.things.ids)
        credential = Credential(role.value, self._tokens[role][1], role, frozenset({HOSTILE}))
        try:
            async with asyncio.timeout(DOOR_S):
                answer = await door.ask(credential, known.things)
        except ValueError:  # no JSON, of a console that is away
            return
        self.ears.hear(door.name, role.value, answer.code, answer.text)

    async def _watch(self, name: str, client: AsyncClient, role: Role, random: Random) -> None:
        """Watch all jobs at one jobstore, now and then from the first transition ever, until the token ends."""
        begin: dict[str, Any] = random.choice(({"after": 0}, *[{"changes_only": True}] * FRESH))
        async with aclosing(self._as(role, client).watch_jobs(**begin, view=View.FULL)) as events:
            async for event in events:
                self.ears.hear(f"watch at {name}", role.value, "ok", str(event))

    async def _follow(self, name: str, url: str, role: Role, random: Random) -> None:
        """Read the events of one console, likewise."""
        begin: dict[str, str] = random.choice(({"after": "0"}, *[{}] * FRESH))
        async for part in self._read_events(url, self._tokens[role][1], begin):
            self.ears.hear(f"events of {name}", role.value, "ok", part)

    async def _read_events(self, url: str, secret: str, begin: Mapping[str, str]) -> AsyncGenerator[str]:
        headers, forever = {"Authorization": f"Bearer {secret}"}, aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with self.http.get(f"{url}/api/events", params=begin, headers=headers, timeout=forever) as answer:
            if not answer.ok:
                raise TransientError(f"{answer.status}")
            async for part in answer.content.iter_any():
                yield part.decode("utf-8", "replace")

    async def _count(self, _: Random) -> None:
        counts = await self._as(Role.VIEWER).count_jobs()
        self.ears.seen.counted = max(self.ears.seen.counted, sum(counts.counts.values()))

    async def _look(self, _: Random) -> None:
        for name, url in self.metrics.items():
            with suppress(*_MET):
                async with self.http.get(url, timeout=aiohttp.ClientTimeout(total=5)) as answer:
                    self.ears.hear(f"metrics of {name}", "nobody", str(answer.status), await answer.text())

    async def _flood(self, random: Random) -> None:
        """Ask for jobs of its own agents, of one at an honest one's address, and of those that all share."""
        agents = [f"{HOSTILE}:{habit}" for habit in (*HABITS, "thief")]
        role = random.choice((Role.OPERATOR, Role.ADMINISTRATOR, Role.UPSTREAM))
        await self._make_own([self._make_job(random.choice((*agents, *SHARED))) for _ in range(self.flood)], role)
        made_up = f"made-up-{next(self._numbers)}"
        await self._refused(self._as(role).create_job(self._make_job(None, made_up)), made_up)

    async def _make_own(self, jobs: Sequence[NewJob], role: Role = Role.OPERATOR) -> None:
        key = f"{HOSTILE}-{next(self._numbers)}"
        make = partial(self._as(role).execute_jobs, jobs=jobs, idempotency_key=key)
        made = await _until_answered(make)
        for job in jobs:
            self._own.append(Own(job.id or "", str(made.id), str(made.id), f"{HOSTILE}:spare"))

    def _make_job(self, agent: str | None, tenant: str = HOSTILE, job_id: str | None = None) -> NewJob:
        return NewJob(
            id=job_id or f"{tenant}:{next(self._numbers)}",
            title=f"Ask for everything of {HOSTILE}",
            acceptance_criteria=CRITERIA,
            agent_id=agent,
            tenant=tenant,
            payload={"agent": "", "lacking": 0, "edition": 0},
            policy=Policy(max_submissions=1, max_calls=2),
        )

    def _make_agent(self, name: str, path: str, **fields: Any) -> NewAgent:
        policy = Policy(attempt_timeout_s=300 if name == "slow" else 30, max_calls=2)
        about = {"id": f"{HOSTILE}:{name}", "name": name, "tenant": HOSTILE, "policy": policy}
        return NewAgent(**{**about, "url": f"{self.agents_url}/{path}", **fields})

    async def _register(self, random: Random) -> None:
        """Register agents: at an honest one's address, with its header and values, by its id, and very many."""
        number, path = next(self._numbers), random.choice((f"{PRESS}/steady", "steady", "hostile/slow"))
        values = (f"env:SIGNOFF_AGENT_{PRESS.upper()}__KEY", f"file:{PRESS}/key", "env:SIGNOFF_AGENT_RADIO__KEY")
        fields: dict[str, Any] = random.choice(
            (
                {"headers": {KEY_HEADER: random.choice(values)}},
                {"id": f"{PRESS}:{CANARY}-steady", "tenant": PRESS},
                {"id": f"{PRESS}:{CANARY}-steady"},
                {"id": f"{PRESS}:{number}", "tenant": PRESS},
                {},
            )
        )
        if not fields and number > AGENTS_MAX:
            return
        self.ears.name(fields)
        new = self._make_agent(f"agent-{number}", path, **fields)
        await self._refused(self._as(Role.ADMINISTRATOR).create_agent(new), "an agent")

    async def _refused(self, call: Awaitable[object], what: str) -> None:
        """Note what is said to something that may be refused."""
        try:
            said, code = str(await call), "ok"
        except SignoffError as error:
            said, code = str(error), error.code
        self.ears.hear(f"asking for {what.rstrip('0123456789')}", HOSTILE, code, said)

    async def _write(self, random: Random) -> None:
        """Request and report by topics, signed with the tenant's secret, or by nobody."""
        assert self.publisher is not None
        if (victim := self.choose(random)) is None:
            return
        self.ears.name(victim.things.ids)
        record, is_its_own = self._make_record(random, victim)
        if not is_its_own:
            self.ears.seen.wrote.add((record.topic, record.value))
        await self.publisher.publish_records([record])

    def _make_record(self, random: Random, victim: Victim) -> tuple[Outgoing, bool]:
        """Return a record, and whether it is one that the tenant may write."""
        own_id, of_victim = UUID(int=random.getrandbits(128), version=4), UUID(victim.execution_id)
        self.ears.seen.execution_ids.add(str(own_id))
        its_own = self._make_job(random.choice((f"{HOSTILE}:echoing", *SHARED)))
        new = f"{random.choice((PRESS, f'made-up-{random.randrange(1_000)}'))}:{random.getrandbits(32):x}"
        asked = {
            "its own": (own_id, its_own.id, its_own),
            "in another's name": (own_id, new, self._make_job("steady", new.partition(":")[0], new)),
            "by another's id": (own_id, victim.job_id, self._make_job("steady", HOSTILE, victim.job_id)),
            "another's job": (own_id, victim.job_id, None),
            "as another's execution": (of_victim, its_own.id, its_own),
        }
        what = random.choice((*asked, "cancels", "cancels", "reports", "reports", "produces"))
        if what in asked:
            execution_id, job_id, job = asked[what]
            return sign(
                ExecuteRequested(execution_id=execution_id, job_id=job_id or "", job=job), HOSTILE
            ), what == "its own"
        if what == "cancels":
            return sign(CancelRequested(execution_id=of_victim, job_id=victim.job_id), HOSTILE), False
        lease, now = random.randint(1, 3), datetime.now(UTC)
        about: dict[str, Any] = {"execution_id": of_victim, "job_id": victim.job_id, "attempt": 1, "lease": lease}
        if what == "produces":
            event: Any = ResultProduced(**about, acceptance_criteria=CRITERIA, result={"text": FORGED}, produced_at=now)
        else:
            event = JobStatusReported(
                **about, seq=1, kind=ReportKind.FAILED, code="agent_status", message=FORGED, reported_at=now
            )
        use = KeyUse.EXECUTING if what == "produces" else KeyUse.JUDGING
        return to_record(event, HOSTILE, signed_by=SECRETS[HOSTILE].make_key(use, of_victim, lease)), False

    async def _revoke(self, random: Random) -> None:
        """Replace the token of a role: the one before is revoked, by whoever may, or rotated, and used all the same."""
        role = random.choice(ROLES)
        name, secret = self._tokens[role]
        fresh = await self._make_token(role)
        async with self._streaming(secret) as streams:
            self._tokens[role] = fresh
            by = random.choice((self.bootstrap, self._as(Role.ADMINISTRATOR)))
            end = by.rotate_token if random.random() < 0.3 else by.revoke_token
            await _until_ended(lambda: end(name, **({"overlap_s": 0} if end == by.rotate_token else {})))
            at = time.time()
            asked = await asyncio.gather(
                *(self._use(door, client, secret, at + USED_S) for door, client in self.jobstores.items()),
                *(self._enter(door, url, secret, at + USED_S) for door, url in self.consoles.items()),
            )
            await asyncio.wait(streams.values(), timeout=ENDS_S)
            ends = tuple((door, task.result() if task.done() else None) for door, task in streams.items())
        self._ended.append((name, secret))
        self.ears.seen.revoked.append(Revoked(name, at, tuple(one for each in asked for one in each), ends))

    async def _use(self, door: str, client: AsyncClient, secret: str, until: float) -> list[tuple[str, float, bool]]:
        """Call a jobstore with a token until then; return when each answered call began, and if it was let in."""
        asked = []
        while not asked or time.time() < until:
            at = time.time()
            with suppress(*_MET):
                try:
                    await client.with_token(secret).get_caller(timeout_s=2)
                    asked.append((door, at, True))
                except UnauthenticatedError:
                    asked.append((door, at, False))
            await asyncio.sleep(0.1)
        return asked

    async def _enter(self, door: str, url: str, secret: str, until: float) -> list[tuple[str, float, bool]]:
        """Read jobs and open a stream at a console, likewise."""
        asked = []
        while not asked or time.time() < until:
            at = time.time()
            for path in ("jobs", "events"):
                with suppress(*_MET):
                    headers, within = {"Authorization": f"Bearer {secret}"}, aiohttp.ClientTimeout(total=2)
                    async with self.http.get(f"{url}/api/{path}", headers=headers, timeout=within) as answer:
                        if answer.ok or answer.status == 401:
                            asked.append((door, at, answer.ok))
            await asyncio.sleep(0.2)
        return asked

    @asynccontextmanager
    async def _streaming(self, secret: str) -> AsyncIterator[dict[str, asyncio.Task[float]]]:
        """Open a stream at each door, and yield those that were opened; each task returns when its stream ended."""
        opened: dict[str, asyncio.Event] = {door: asyncio.Event() for door in (*self.jobstores, *self.consoles)}

        async def read(door: str, items: AsyncGenerator[Any]) -> float:
            with suppress(*_MET):
                async with aclosing(items):
                    async for _ in items:
                        opened[door].set()
            return time.time()

        callers = {door: client.with_token(secret).watch_caller() for door, client in self.jobstores.items()}
        events = {door: self._read_events(url, secret, {}) for door, url in self.consoles.items()}
        tasks = {door: asyncio.create_task(read(door, items)) for door, items in {**callers, **events}.items()}
        waiting = [asyncio.create_task(one.wait()) for one in opened.values()]
        try:
            await asyncio.wait(waiting, timeout=OPENS_S)
            yield {door: task for door, task in tasks.items() if opened[door].is_set()}
        finally:
            for task in (*tasks.values(), *waiting):
                task.cancel()
            await asyncio.gather(*tasks.values(), *waiting, return_exceptions=True)

    def hear_at_agent(self, habit: str, text: str) -> None:
        """Note what one of its agents is sent."""
        self.ears.hear(f"call of the agent {habit}", "agent", "called", text)

    async def try_word(self, word: str) -> None:
        """Try what an agent was sent as a token."""
        for door, client in self.jobstores.items():
            with suppress(*_MET):
                try:
                    caller = await client.with_token(word).get_caller(timeout_s=2)
                    self.ears.seen.stolen.append(f"{door} took {word[:20]} for {caller.name}")
                except UnauthenticatedError as error:
                    self.ears.hear(f"calling back at {door}", "agent", error.code, str(error))

    async def leave(self) -> None:
        """Cancel what the tenant left, so that all comes to rest."""
        cancel = {"kind": "OPERATION_KIND_CANCEL", "filter": {"tenant": HOSTILE}}
        await _until_ended(lambda: self.bootstrap.create_operation(cancel))

    async def come_back(self) -> None:
        """Try each token that was revoked once more, at all jobstores and consoles."""
        for name, secret in self._ended[-50:]:
            doors = [
                *(self._use(door, client, secret, 0.0) for door, client in self.jobstores.items()),
                *(self._enter(door, url, secret, 0.0) for door, url in self.consoles.items()),
            ]
            asked = [one for each in await asyncio.gather(*doors) for one in each]
            self.ears.seen.revoked.append(Revoked(f"{name}, after the storm", 0.0, asked))

    def read_logs(self, folder: Path) -> None:
        """Read of all logs the lines that name the tenant."""
        for path in sorted(folder.glob("*.log*")):
            lines = (line for line in path.read_text("utf-8", "replace").splitlines() if HOSTILE in line)
            for line in lines:
                self.ears.hear(f"log of {path.name.partition('.')[0]}", "nobody", "line", line)


def _open_channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    """Return a channel that tries again soon after an outage."""
    options = [("grpc.max_receive_message_length", MESSAGE_MAX_BYTES), ("grpc.max_reconnect_backoff_ms", 1_000)]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(*watch_pem(tls).read()), options=options)


async def _until_answered(operation: Callable[[], Awaitable[Made]]) -> Made:
    """Ask until there is an answer; a refusal is one, and is raised."""
    while True:
        try:
            return await operation()
        except SignoffError as error:
            if error.grpc_status.name not in AGAIN:
                raise
        await asyncio.sleep(AGAIN_S)


async def _until_ended(operation: Callable[[], Awaitable[object]]) -> None:
    """Ask until there is an answer; a repeat of what was done is told that nothing is left to do."""
    with suppress(SignoffError):
        await _until_answered(operation)


@asynccontextmanager
async def hostile(
    bootstrap: AsyncClient,
    jobstores: Mapping[str, str],
    consoles: Mapping[str, str],
    choose: Callable[[Random], Victim | None],
    seed: int,
    kept: Path,
    *,
    tls: Tls | None = None,
    **more: Any,
) -> AsyncIterator[Hostile]:
    """Connect the tenant to jobstores and consoles, by their names; all that it is told is kept in a file."""
    async with AsyncExitStack() as stack:
        dial = partial(AsyncClient, token=None, credentials=tls)
        clients = {n: await stack.enter_async_context(dial(a)) for n, a in jobstores.items()}
        channels = [await stack.enter_async_context(_open_channel(a, tls)) for a in jobstores.values()]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        routes = [route for url in consoles.values() for route in list_routes(url, http)]
        doors = [*(door for channel in channels for door in list_doors(channel)), *routes]
        ears = Ears(kept=stack.enter_context(gzip.open(kept, "wt", compresslevel=1)))  # noqa: SIM115 - the stack closes it
        yield Hostile(bootstrap, clients, consoles, http, doors, choose, ears, seed, **more)
