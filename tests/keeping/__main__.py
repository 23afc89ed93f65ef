"""`make keeping-kills`: kill and freeze jobstores in the midst of archiving, checkpoints, removal and cutting.

Exit status 0 only if nothing is lost that should stay, and nothing is found that should be gone.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from jobstore.engine.locks import Lock
from keeping.checks import check, describe
from keeping.jobs import BRIEF_S
from keeping.system import STRIKES, running
from servicekit.patches import survive_lost_connections


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(times: int, seed: int, folder: Path) -> int:
    """Do all; return the exit status."""
    survive_lost_connections()
    began, chosen = time.monotonic(), random.Random(seed)
    async with running(folder) as system:
        say(f"keeping: seed {seed}, running after {time.monotonic() - began:.0f} s")
        steady = system.steady
        asking = [asyncio.create_task(steady.ask_all()), asyncio.create_task(steady.remove_all())]
        strikes = list[tuple[Lock, str]]()
        for number in range(times):
            await asyncio.sleep(chosen.uniform(0.0, 1.0))
            if not strikes:
                strikes = chosen.sample(STRIKES, len(STRIKES))
            await system.strike(*strikes.pop(), chosen)
            say(f"keeping: {number + 1} of {times}, {len(steady.asked)} jobs, {time.monotonic() - began:.0f} s")
        steady.is_over = True
        for task in asking:
            await task
        await asyncio.sleep(BRIEF_S)
        await steady.until_rested()
        wrong = [*await check(system), *system.list_unstruck(times)]
        for line in await describe(system):
            say(f"  {line}")
    for line in wrong:
        say(f"  wrong: {line}")
    say(f"keeping: {'nothing is lost, and nothing left' if not wrong else 'failed'}, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def run() -> int:
    """Run with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="keeping", description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="how often a jobstore is killed or frozen")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000), help="of what is struck")
    parser.add_argument("--dir", type=Path, help="where the stack keeps its data and logs; temporary unless given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="signoff-keeping-") as folder:
        return uvloop.run(main(asked.times, asked.seed, asked.dir or Path(folder)))


if __name__ == "__main__":
    raise SystemExit(run())
