"""Measure `signoff rebuild`: facts a second net of the start, CPU by process, and the memory of whoever rebuilds.

The facts are those of a few real lives, told again and again under other ids, signed, and written straight to a broker
of its own: requests, results and verdicts, every end, and changes of agents. They are measured twice: as the lives of
lives.py have them, and with bodies of all sizes and edits. Prints a JSON line each, then a table, which goes into
docs/performance.md; ends with status 1 unless every fact is in the rebuilt database.

With --removed the lives are few, and so many more were removed before a checkpoint: the database is rebuilt from it,
and from the facts of the lives that are left alone. The first may take twice as long, and 5 s a million lines.

    .venv/bin/python benchmarks/rebuild.py [--facts 100000 2000000] [--removed 1000000 [--left 20000]] [--dry]
"""

import argparse
import base64
import json
import logging
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import uvloop
from aiohttp import web
from lives import Agent, Run, run_system
from measuring.figures import find_version, make_table, write_section
from measuring.host import compare, read_cpu

from contracts.events import AgentChanged, JobChanged
from contracts.resources import JobPatch, NewAgent, NewJob
from contracts.signing import SIGNATURE_HEADER, FactKeys, Secrets, is_marker, make_secret
from contracts.topics import FACT_TOPICS, TOPIC_OF, TOPICS
from jobstore.keeping.removal import Removable
from jobstore.keeping.snapshots import Snapshot, Snapshots
from jobstore.recovery.verify import open_snapshot
from localstack.backing import Infrastructure, infrastructure
from servicekit.archive.objects import Objects
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics
from servicekit.kafka.history import History, Record
from servicekit.kafka.publisher import Outgoing, Publisher
from signoff import AsyncClient

#: Real lives that are told again: two of each end, by each door.
LIVES = 60
#: Repeats of a sentence in payloads, answers and edits, life by life: from 15 bytes to 15 KB.
BODIES = (1, 10, 100, 1_000)
#: Changes of the agent, of which one is told among the facts of AT_ONCE lives.
AGENT_CHANGES = 5
#: Lives whose facts stand among each other in the topic, as those of lives at the same time do.
AT_ONCE = 100
#: Records that are sent, and awaited, together.
SENT_AT_ONCE = 5_000

_ID = re.compile(rb"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4})[0-9a-f]{8}")
_CURSOR = re.compile(rb'"cursor":\d+')

#: By how much longer a rebuild with lines of removed jobs may take than one of what is left: so many times, and so many
#: seconds a million lines.
TIMES_MAX, LINES_MAX_S = 2, 5.0
_AT = datetime(2026, 1, 1, tzinfo=UTC)
#: What stays of a job of one execution, as the jobstore writes it; the hash of its verdict is another one each.
_REMOVAL = Removable("default", _AT, _AT, 0, 1, verdict=(6, bytes(32).hex()), parts=[42]).describe()
_HASH = base64.b64encode(bytes(32)).decode().rstrip("=")
_LINES = """
    WITH line AS (
        SELECT n, (SELECT max(seq) FROM job_logs) + n AS seq, 'gone-' || md5(n::text) AS job_id,
            (lpad(to_hex(n), 8, '0') || right(md5(n::text), 24))::uuid AS execution_id
        FROM generate_series(1, $1::bigint) AS n
    )
    INSERT INTO job_logs (seq, job_id, version, status, job_status, response_payload, message, kind, execution_id,
        submission, created_at, actor)
    SELECT seq, job_id, 7, 'COMPLETED', 'COMPLETED',
        replace($2::text, $3, rtrim(encode(sha256(job_id::bytea), 'base64'), '='))::json,
        'tenant:*', 'removed', execution_id, 1, signoff_now(), 'retention' FROM line ORDER BY n
"""
_LAST = "(SELECT max(seq) FROM job_logs)"
#: All lines are published, archived, and cut.
_KEPT = (
    f"UPDATE relay SET settled_seq = {_LAST}, published_seq = {_LAST}",  # noqa: S608 - a query of our own
    f"UPDATE keeping SET archived_seq = {_LAST}, cut_seq = {_LAST}, cut_below = {_LAST}",  # noqa: S608
)
_BYTES = "SELECT avg(pg_column_size(l))::int FROM job_logs l WHERE kind = 'removed'"


class MixedRun(Run):
    """Lives with bodies of all sizes, of which half are edited before they are asked for."""

    def make_job(self, number: int) -> NewJob:
        """Make the job with this number."""
        job, body = super().make_job(number), "the sky is dark" * BODIES[number % len(BODIES)]
        answer = job.payload["answer"]
        return job.model_copy(
            update={"payload": {"answer": answer and {"text": f"{answer['text']}. {body}"}, "filler": body}}
        )

    async def _create(self, number: int) -> None:
        await super()._create(number)
        if number % 2:
            await self.client.edit_job(self.ids[number], JobPatch(description="More" * BODIES[number % len(BODIES)]))


KINDS = {"as lives.py has them": Run, "with large bodies, and edits": MixedRun}


@dataclass(frozen=True)
class Facts:
    """The facts of real lives, by job in their order, and of their agent."""

    agents: Sequence[Record]
    lives: Sequence[Sequence[Record]]

    @classmethod
    async def make(cls, run: type[Run]) -> "Facts":
        """Run lives in a system of their own, and take what it tells of them."""
        agent, app = Agent(), web.Application()
        app.router.add_post("/agent", agent.on_call)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/agent"
        with tempfile.TemporaryDirectory(prefix="signoff-bench-") as data:
            async with run_system(Path(data)) as endpoints:
                async with AsyncClient(endpoints["grpc"], endpoints["token"]) as client:
                    await client.create_agent(NewAgent(id="bench", name="bench", url=url))
                    for number in range(AGENT_CHANGES):
                        await client.update_agent("bench", NewAgent(name=f"bench {number}", url=url))
                    figures = await run(endpoints, agent, client, LIVES, 0.0).measure()
                    if figures["wrong"]:
                        raise SystemExit(f"WRONG: {figures['wrong'][:5]}")
                agents = await _read(endpoints["kafka"], TOPIC_OF[AgentChanged])
                jobs = defaultdict[bytes | None, list[Record]](list)
                for record in await _read(endpoints["kafka"], TOPIC_OF[JobChanged]):
                    jobs[record.key].append(record)
        await runner.cleanup()
        return cls(agents, list(jobs.values()))

    def tell(self, count: int) -> Iterator[Outgoing]:
        """Yield so many facts of jobs or a few more, those of each life in order."""
        lives, told = 0, 0
        while told < count:
            together = [self._tell_life(lives + number) for number in range(AT_ONCE)]
            for records in zip_longest(*together):
                for record in filter(None, records):
                    told += 1
                    cursor = b'"cursor":%d' % (1_000_000 + told)
                    yield _copy(record, _CURSOR.sub(cursor, record.value))
            changed = self.agents[lives // AT_ONCE % len(self.agents)]
            yield _copy(changed, changed.value or b"")
            lives += AT_ONCE

    def _tell_life(self, number: int) -> Iterator[Outgoing]:
        facts = self.lives[number % len(self.lives)]
        suffix, key = rb"\g<1>%08x" % number, b"life-" + secrets.token_hex(16).encode()
        for fact in facts:
            assert fact.key is not None
            assert fact.value is not None
            yield _copy(fact, _ID.sub(suffix, fact.value.replace(fact.key, key)), key)


async def _read(kafka: str, topic: str) -> list[Record]:
    async with History(KafkaAccess(kafka), topic) as history:
        read = [record async for records in history.read(await history.offsets()) for record in records]
    return [record for record in read if not is_marker(record)]


def _copy(record: Record | Outgoing, value: bytes, key: bytes | None = None) -> Outgoing:
    return Outgoing(record.topic, value, key or record.key, record.headers)


async def write(kafka: str, keys: FactKeys, records: Iterator[Outgoing]) -> Counter[str]:
    """Sign records, and write them; return how many there were by topic, and their `bytes`."""
    publisher, count = Publisher(KafkaAccess(kafka), "bench"), Counter[str]()
    await publisher.start()
    while some := list(islice(records, SENT_AT_ONCE)):
        await publisher.publish_records([_sign(record, keys) for record in some])
        count.update(record.topic for record in some)
        count["bytes"] += sum(len(record.value) for record in some)
    await publisher.stop()
    return count


def _sign(record: Outgoing, keys: FactKeys) -> Outgoing:
    signature = keys.signing.sign(record.topic, record.key, record.value).encode()
    headers = [pair for pair in record.headers if pair[0] != SIGNATURE_HEADER]
    return Outgoing(record.topic, record.value, record.key, [*headers, (SIGNATURE_HEADER, signature)])


async def write_markers(kafka: str, keys: FactKeys) -> None:
    """Write the marker of each partition, behind which facts count."""
    publisher = Publisher(KafkaAccess(kafka), "bench")
    await publisher.start()
    places = [(topic, number) for topic in FACT_TOPICS for number in range(TOPICS[topic].partitions)]
    markers = [Outgoing(topic, b"", None, keys.signing.make_marker(topic, number), number) for topic, number in places]
    await publisher.publish_records(markers)
    await publisher.stop()


def _name_database(servers: Infrastructure, database: str) -> str:
    return f"{servers.postgres.rpartition('/')[0]}/{database}"


def rebuild(servers: Infrastructure, keys: FactKeys, database: str, *options: str) -> dict[str, Any]:
    """Rebuild a new database; return what the command says, how long it took, and what it used."""
    url = _name_database(servers, database)
    command = ["rebuild", "--json", "--kafka", servers.kafka, "--database-url", url, "--create", *options]
    before = read_cpu(servers.processes)
    process = subprocess.Popen(  # noqa: S603 - a command of our own
        [sys.executable, "-m", "cli", *command],
        env=os.environ | {"SIGNOFF_FACT_KEYS": str(keys)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = process.stdout.read().decode().splitlines()
    _, status, usage = os.wait4(process.pid, 0)  # of the command and its child
    used = compare(before, read_cpu(servers.processes))
    if status:
        raise SystemExit(f"rebuild: {said[-1:]}")
    cpu = {name: round(seconds, 2) for name, seconds in used.parts.items()}
    cpu["rebuild"] = round(usage.ru_utime + usage.ru_stime, 2)
    return {**json.loads(said[-1]), "seconds": used.took_s, "cpu_s": cpu, "peak_mib": usage.ru_maxrss // 1024}


async def measure(facts: Facts, count: int) -> dict[str, Any]:
    """Rebuild so many facts once; SystemExit unless every one is in the rebuilt database."""
    keys = FactKeys.derive(Secrets.parse(make_secret("bench", secrets.token_bytes(32))))
    with infrastructure(short_lived=False) as servers:
        await ensure_topics(KafkaAccess(servers.kafka), 1)
        await write_markers(servers.kafka, keys)
        await write(servers.kafka, keys, (_copy(agent, agent.value or b"") for agent in facts.agents))
        empty = [rebuild(servers, keys, f"empty_{number}") for number in range(2)][-1]  # the first one warms up
        written = await write(servers.kafka, keys, facts.tell(count))
        busy = psutil.cpu_percent(1.0)
        full = rebuild(servers, keys, "full")
        database = await asyncpg.connect(servers.postgres)
        version = await find_version(database)
        await database.close()
    if full["counts"]["job_logs"] != written[TOPIC_OF[JobChanged]]:
        raise SystemExit(f"WRONG: {full['counts']} of {written}")
    net, size = full["seconds"] - empty["seconds"], written.pop("bytes")
    count = written.total()
    return {
        "facts": count,
        "bytes_a_fact": round(size / count),
        "facts_a_second": round(count / net),
        "seconds": round(full["seconds"], 2),
        "of_it_the_start": round(empty["seconds"], 2),
        "cpu_us_a_fact": {
            name: round((used - empty["cpu_s"][name]) / count * 1e6, 1) for name, used in full["cpu_s"].items()
        },
        "peak_mib": full["peak_mib"],
        "busy_before_percent": busy,
        "postgres": version,
    }


async def leave_lines(url: str, removed: int) -> int:
    """Add what stays of removed jobs to a database; return the bytes of an entry."""
    database = await asyncpg.connect(url)
    await database.execute(_LINES, removed, _REMOVAL, _HASH)
    for statement in _KEPT:
        await database.execute(statement)
    entry_bytes: int = await database.fetchval(_BYTES)
    await database.close()
    return entry_bytes


async def write_checkpoint(url: str, place: Path, keys: FactKeys) -> Snapshot:
    """Write a checkpoint of a database."""
    async with open_snapshot(url) as connection:
        return await Snapshots(Objects.open(str(place), creates=True), keys).write(connection, "benchmark")


async def measure_removed(facts: Facts, left: int, removed: int) -> dict[str, Any]:
    """Rebuild lives from their facts, and from a checkpoint that has them and so many lines of removed jobs.

    SystemExit unless every line is in the rebuilt database.
    """
    keys = FactKeys.derive(Secrets.parse(make_secret("bench", secrets.token_bytes(32))))
    a_life = sum(map(len, facts.lives)) / len(facts.lives)
    with infrastructure(short_lived=False) as servers, tempfile.TemporaryDirectory(prefix="signoff-archive-") as place:
        await ensure_topics(KafkaAccess(servers.kafka), 1)
        await write_markers(servers.kafka, keys)
        await write(servers.kafka, keys, (_copy(agent, agent.value or b"") for agent in facts.agents))
        rebuild(servers, keys, "warm")
        await write(servers.kafka, keys, facts.tell(round(left * a_life)))
        alone = rebuild(servers, keys, "alone")
        source = _name_database(servers, "alone")
        entry_bytes = await leave_lines(source, removed)
        began = time.perf_counter()
        checkpoint = await write_checkpoint(source, Path(place), keys)
        checkpoint_s = time.perf_counter() - began
        database = await asyncpg.connect(servers.postgres)
        version = await find_version(database)
        await database.execute("DROP DATABASE alone WITH (FORCE)")  # its vacuum, and its pages, are not measured
        await database.execute("CHECKPOINT")
        await database.close()
        busy = psutil.cpu_percent(1.0)
        full = rebuild(servers, keys, "full", "--archive", place)
    expected = {"job_logs": alone["counts"]["job_logs"] + removed}
    if not full["began_at"]["goes_on"] or expected.items() - full["counts"].items():
        raise SystemExit(f"WRONG: {full['counts']}, not {expected}; {full['began_at']}")
    allowed_s = TIMES_MAX * alone["seconds"] + LINES_MAX_S * removed / 1e6
    return {
        "lines": removed,
        "lives": alone["counts"]["jobs"],
        "entry_bytes": entry_bytes,
        "checkpoint_s": round(checkpoint_s, 2),
        "checkpoint_mib": round(checkpoint.manifest.bytes / (1 << 20)),
        "lives_s": round(alone["seconds"], 2),
        "seconds": round(full["seconds"], 2),
        "allowed_s": round(allowed_s, 2),
        "cpu_s": full["cpu_s"],
        "peak_mib": full["peak_mib"],
        "busy_before_percent": busy,
        "postgres": version,
    }


def make_row_removed(figures: dict[str, Any]) -> list[str]:
    """Return the row of a table."""
    names = ("lines", "lives", "entry_bytes", "checkpoint_s", "checkpoint_mib", "lives_s")
    return [f"{figures[name]:,}" for name in (*names, "seconds", "allowed_s", "peak_mib")]


def make_row(figures: dict[str, Any]) -> list[str]:
    """Return the row of a table."""
    cpu = ", ".join(f"{name} {used}" for name, used in figures["cpu_us_a_fact"].items())
    return [*(f"{figures[name]:,}" for name in ("facts", "bytes_a_fact", "facts_a_second", "peak_mib")), cpu]


async def main() -> None:
    """Measure each kind of facts, and each number of them; or a number of removed jobs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, nargs="+", default=[100_000])
    parser.add_argument("--removed", type=int, help="jobs that were removed before a checkpoint")
    parser.add_argument("--left", type=int, default=20_000, help="lives beside them")
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # a young broker is asked again until it is ready
    if arguments.removed:
        await compare_removed(arguments.left, arguments.removed, is_dry=arguments.dry)
    else:
        await compare_kinds(arguments.facts, is_dry=arguments.dry)


async def compare_kinds(counts: Sequence[int], *, is_dry: bool) -> None:
    """Measure each kind of facts, and each number of them."""
    rows = []
    for kind, run in KINDS.items():
        facts = await Facts.make(run)
        for count in counts:
            figures = await measure(facts, count)
            print(json.dumps({"kind": kind, **figures}), flush=True)
            rows.append([kind, *make_row(figures)])
    table = make_table(["of lives", "facts", "bytes a fact", "facts/s", "MiB at most", "CPU µs a fact"], rows)
    print("\n".join(table))
    if not is_dry:
        about = "Net of the start, of an empty database. MiB are those of whoever rebuilds."
        write_section("rebuild", sys.argv[1:], {"PostgreSQL": figures["postgres"]}, [about, "", *table])


async def compare_removed(left: int, removed: int, *, is_dry: bool) -> None:
    """Measure a rebuild with lines of removed jobs; SystemExit if it takes longer than it may."""
    figures = await measure_removed(await Facts.make(Run), left, removed)
    print(json.dumps(figures), flush=True)
    header = ["lines", "lives", "bytes an entry", "checkpoint, s", "and MiB"]
    header += ["lives alone, s", "with the lines, s", "at most", "MiB at most"]
    table = make_table(header, [make_row_removed(figures)])
    print("\n".join(table))
    if not is_dry:
        about = (
            "Of each removed job an entry is left, and a checkpoint has them. "
            f"At most: {TIMES_MAX} times the time of the lives, and {LINES_MAX_S:g} s a million lines."
        )
        write_section("removed", sys.argv[1:], {"PostgreSQL": figures["postgres"]}, [about, "", *table])
    if figures["seconds"] > figures["allowed_s"]:
        raise SystemExit(f"TOO SLOW: {figures['seconds']} s, and {figures['allowed_s']} s at most")


if __name__ == "__main__":
    uvloop.run(main())
