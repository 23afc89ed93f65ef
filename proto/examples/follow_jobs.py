"""Follow what happens to jobs: a consumer of facts that needs aiokafka alone. `python follow_jobs.py HOST:PORT`."""

import asyncio
import json
import os
import sys

from aiokafka import AIOKafkaConsumer

PREFIX = os.environ.get("SIGNOFF_TOPIC_PREFIX", "")
TOPIC, GROUP = f"{PREFIX}job-changed", f"{PREFIX}upstream-example"


async def follow(kafka: str) -> None:
    """Print each transition once, those of a job in order. What was printed before a crash may be printed again."""
    versions: dict[str, int] = {}  # keep them beside what you make of the facts, and both survive a crash
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=kafka, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        async for record in consumer:
            if dict(record.headers).get("ce_type") != b"signoff.job-changed.v1":
                continue  # a marker of who signs, or no event
            fact = json.loads(record.value)
            job, version = fact["job"], fact["version"]
            if "stub" not in fact and version > versions.get(job["id"], 0):  # a stub's whole follows; the rest is known
                versions[job["id"]] = version
                print(job["id"], version, job["status"], fact["log"].get("message", ""), flush=True)
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1]))
