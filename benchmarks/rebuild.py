"""Measure `signoff rebuild`: facts a second net of the start, CPU by process, and the memory of whoever rebuilds.

The facts are those of a few real lives, told again and again under other ids, signed, and written straight to a broker
of its own: requests, results and verdicts, every end, and changes of agents. They are measured twice: as the lives of
lives.py have them, and with bodies of all sizes and edits. Prints a JSON line each, then a table, which goes into
docs/performance.md; ends with status 1 unless every fact is in the rebuilt database.

    .venv/bin/python benchmarks/rebuild.py [--facts 100000 2000000] [--dry]
"""

import argparse
import json
import logging
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from localstack.backing import Infrastructure, infrastructure
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


def rebuild(servers: Infrastructure, keys: FactKeys, database: str) -> dict[str, Any]:
    """Rebuild a new database; return what the command says, how long it took, and what it used."""
    url = f"{servers.postgres.rpartition('/')[0]}/{database}"
    command = ["rebuild", "--json", "--kafka", servers.kafka, "--database-url", url, "--create"]
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


def make_row(figures: dict[str, Any]) -> list[str]:
    """Return the row of a table."""
    cpu = ", ".join(f"{name} {used}" for name, used in figures["cpu_us_a_fact"].items())
    return [*(f"{figures[name]:,}" for name in ("facts", "bytes_a_fact", "facts_a_second", "peak_mib")), cpu]


async def main() -> None:
    """Measure each kind of facts, and each number of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, nargs="+", default=[100_000])
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # a young broker is asked again until it is ready
    rows = []
    for kind, run in KINDS.items():
        facts = await Facts.make(run)
        for count in arguments.facts:
            figures = await measure(facts, count)
            print(json.dumps({"kind": kind, **figures}), flush=True)
            rows.append([kind, *make_row(figures)])
    table = make_table(["of lives", "facts", "bytes a fact", "facts/s", "MiB at most", "CPU µs a fact"], rows)
    print("\n".join(table))
    if not arguments.dry:
        about = "Net of the start, of an empty database. MiB are those of whoever rebuilds."
        write_section("rebuild", sys.argv[1:], {"PostgreSQL": figures["postgres"]}, [about, "", *table])


if __name__ == "__main__":
    uvloop.run(main())
