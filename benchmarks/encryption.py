"""Measure what encryption costs: lives of a system with all of it beside lives of a plain one, in turn.

make bench OF=encryption
"""

import argparse
import json
import sys
from typing import Any

import uvloop
from lives import Bench, run_bench
from measuring import figures
from measuring.paired import compare_pairs

#: What is compared, and how it stands in figures.
COMPARED = {
    "lives/s at saturation": ("burst", lambda made: made["lives_a_second"]),
    "CPU ms a life at saturation": ("burst", lambda made: made["cpu_ms_a_life"]),
    "CPU ms a life at a rate": ("paced", lambda made: made["cpu_ms_a_life"]),
    "p50 ms to the final status at a rate": ("paced", lambda made: made["to_final_ms"][0]),
    "p99 ms to the final status at a rate": ("paced", lambda made: made["to_final_ms"][1]),
}

Rounds = dict[str, list[dict[str, Any]]]


async def main() -> None:
    """Run both systems, and rounds of each in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--burst", type=int, default=700, help="lives of a round at saturation")
    parser.add_argument("--lives", type=int, default=200, help="lives of a paced round")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second of a paced round")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    arguments = parser.parse_args()
    made: dict[str, Rounds] = {name: {"burst": [], "paced": []} for name in ("plain", "encrypted")}
    async with run_bench() as plain, run_bench("--secure") as encrypted:
        systems: dict[str, Bench] = {"plain": plain, "encrypted": encrypted}
        version = await figures.find_version(plain.database)
        for bench in systems.values():
            await bench.run(arguments.burst)
        for number in range(arguments.rounds):
            for name in sorted(systems, reverse=bool(number % 2)):
                for kind, lives, rate in (("burst", arguments.burst, 0.0), ("paced", arguments.lives, arguments.rate)):
                    made[name][kind].append(await systems[name].run(lives, rate))
                    print(f"{number} {name} {kind}: {json.dumps(made[name][kind][-1])}", flush=True)
    rows = [make_row(what, made, kind, find) for what, (kind, find) in COMPARED.items()]
    rows.extend(
        make_row(
            f"CPU ms a life at saturation, {part}", made, "burst", lambda each, part=part: each["cpu_by_part"][part]
        )
        for part in sorted(made["plain"]["burst"][0]["cpu_by_part"])
    )
    lines = figures.make_table(("what", "plain", "encrypted", "ratio"), rows)
    print("\n".join(lines))
    if not arguments.dry:
        figures.write_section("encryption", sys.argv[1:], {"PostgreSQL": version}, lines)


def make_row(what: str, made: dict[str, Rounds], kind: str, find: Any) -> tuple[str, ...]:
    """Return the medians of both, and the ratio with its 95 % interval."""
    plain, encrypted = ([max(find(each), 0.001) for each in made[name][kind]] for name in ("plain", "encrypted"))
    ratio = compare_pairs(plain, encrypted)
    return (what, *(f"{sorted(each)[len(each) // 2]:.2f}" for each in (plain, encrypted)), str(ratio))


if __name__ == "__main__":
    uvloop.run(main())
