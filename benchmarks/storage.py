"""Measure what a life leaves behind: bytes in PostgreSQL's tables and indexes, in its WAL, and in Kafka's topics.

make bench OF=storage
"""

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path

import uvloop
from lives import Bench, run_bench
from measuring import figures

#: Tables with their indexes and large values, and the WAL.
SIZES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
WAL = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
#: Those that are less of a whole are told together.
TOLD_FROM = 0.02


async def read_sizes(bench: Bench) -> Counter[tuple[str, str]]:
    """Return how many bytes there are of each store and part."""
    await bench.database.execute("CHECKPOINT")
    sizes = Counter({("PostgreSQL", name): size for name, size in await bench.database.fetch(SIZES)})
    sizes["WAL", "all"] = int(await bench.database.fetchval(WAL))
    for file in (Path(bench.endpoints["data_dir"]) / "kafka").rglob("*.log"):
        topic, _, partition = file.parent.name.rpartition("-")
        if partition.isdigit():
            sizes["Kafka", topic] += file.stat().st_size
    return sizes


async def main() -> None:
    """Run lives, and tell by how much all has grown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lives", type=int, default=5_000)
    parser.add_argument("--settled-s", type=float, default=20.0, help="for what follows the last life")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    arguments = parser.parse_args()
    async with run_bench() as bench:
        version = await figures.find_version(bench.database)
        await bench.run(arguments.lives // 5)
        await asyncio.sleep(arguments.settled_s)
        before = await read_sizes(bench)
        await bench.run(arguments.lives)
        await asyncio.sleep(arguments.settled_s)
        grown = await read_sizes(bench)
    grown.subtract(before)
    rows = []
    for store in ("PostgreSQL", "WAL", "Kafka"):
        parts = {part: size for (of, part), size in grown.items() if of == store and size > 0}
        whole = sum(parts.values())
        told = {part: size for part, size in parts.items() if len(parts) > 1 and size >= TOLD_FROM * whole}
        how = ", ".join(
            f"{part} {told[part] / arguments.lives:,.0f}" for part in sorted(told, key=lambda each: -told[each])
        )
        rows.append((store, f"{whole / arguments.lives:,.0f}", how or "-"))
    lines = figures.make_table(("what", "bytes a life", "of which"), rows)
    print("\n".join(lines))
    if not arguments.dry:
        figures.write_section("storage", sys.argv[1:], {"PostgreSQL": version}, lines)


if __name__ == "__main__":
    uvloop.run(main())
